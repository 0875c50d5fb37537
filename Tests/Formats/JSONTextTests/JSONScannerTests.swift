import JSONText
import Tensors
import Testing
import TestSupport

/// Reads one value and nothing else.
private func check(_ bytes: [UInt8], forConfig: Bool = false) throws(JSONError) {
  var scanner = try JSONScanner(bytes)
  try scanner.skipValue(forConfig: forConfig)
  try scanner.finish()
}

private func check(_ text: String) throws(JSONError) { try check(Array(text.utf8)) }

private func nested(_ depth: Int) -> String {
  String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
}

@Suite struct JSONScannerTests {
  static let refused: [(rule: String, bytes: [UInt8], error: JSONError)] = [
    ("empty", [], .empty),
    ("byte order mark", [0xEF, 0xBB, 0xBF] + Array("{}".utf8), .byteOrderMark),
    ("UTF-16", [0x7B, 0, 0x7D, 0], .utf16),
    ("UTF-16 mark", [0xFF, 0xFE, 0x7B, 0], .utf16),
    ("only spaces", Array("  ".utf8), .truncated(offset: 2)),
    ("cut in an object", Array(#"{"a""#.utf8), .truncated(offset: 4)),
    ("cut in a string", Array(#""abc"#.utf8), .truncated(offset: 4)),
    ("cut in an escape", Array(#""a\"#.utf8), .truncated(offset: 2)),
    ("trailing comma in an object", Array(#"{"a":1,}"#.utf8), .unexpected(offset: 7, expected: "a value after ','")),
    ("trailing comma in an array", Array("[1,]".utf8), .unexpected(offset: 3, expected: "a value after ','")),
    ("missing comma", Array("[1 2]".utf8), .unexpected(offset: 3, expected: "',' or ']'")),
    ("missing colon", Array(#"{"a" 1}"#.utf8), .unexpected(offset: 5, expected: "':'")),
    ("key without quotes", Array("{a:1}".utf8), .unexpected(offset: 1, expected: "a string")),
    ("single quotes", Array("{'a':1}".utf8), .unexpected(offset: 1, expected: "a string")),
    ("comment", Array("/**/{}".utf8), .unexpected(offset: 0, expected: "a JSON value")),
    ("NaN", Array("NaN".utf8), .unexpected(offset: 0, expected: "a JSON value")),
    ("Infinity", Array("[Infinity]".utf8), .unexpected(offset: 1, expected: "a JSON value")),
    ("True", Array("True".utf8), .unexpected(offset: 0, expected: "a JSON value")),
    ("cut literal", Array("tru".utf8), .unexpected(offset: 0, expected: "a JSON value")),
    ("two values", Array("{} {}".utf8), .trailingText(offset: 3)),
    ("NUL behind the value", Array("{}".utf8) + [0], .trailingText(offset: 2)),
    ("key twice", Array(#"{"a":1,"a":2}"#.utf8), .duplicateKey(key: [0x61], offset: 7)),
    ("key twice through an escape", Array(#"{"a":1,"\u0061":2}"#.utf8), .duplicateKey(key: [0x61], offset: 7)),
    ("leading zero", Array("01".utf8), .badNumber(offset: 0, rule: "it has a leading zero")),
    ("no digit after the point", Array("1.".utf8), .badNumber(offset: 0, rule: "a digit is missing")),
    ("no digit before the point", Array(".5".utf8), .unexpected(offset: 0, expected: "a JSON value")),
    ("no digit in the exponent", Array("1e+".utf8), .badNumber(offset: 0, rule: "a digit is missing")),
    ("plus sign", Array("+1".utf8), .unexpected(offset: 0, expected: "a JSON value")),
    ("lone minus", Array("-".utf8), .badNumber(offset: 0, rule: "a digit is missing")),
    ("hexadecimal", Array("0x10".utf8), .trailingText(offset: 1)),
    (
      "very many digits", Array(String(repeating: "1", count: 401).utf8),
      .badNumber(offset: 0, rule: "it has too many digits")
    ),
    ("raw control character", [0x22, 0x0A, 0x22], .controlCharacter(offset: 1)),
    ("unknown escape", Array(#""\x41""#.utf8), .badEscape(offset: 1)),
    ("short \\u escape", Array(#""\u00G0""#.utf8), .badEscape(offset: 3)),
    ("lone high surrogate", Array(#""\ud800""#.utf8), .loneSurrogate(offset: 1)),
    ("lone low surrogate", Array(#""\udc00""#.utf8), .loneSurrogate(offset: 1)),
    ("high surrogate and no low", Array(#""\ud800\u0041""#.utf8), .loneSurrogate(offset: 1)),
    ("overlong UTF-8", [0x22, 0xC0, 0x80, 0x22], .invalidUTF8(offset: 1)),
    ("overlong in three bytes", [0x22, 0xE0, 0x80, 0x80, 0x22], .invalidUTF8(offset: 1)),
    ("surrogate in UTF-8", [0x22, 0xED, 0xA0, 0x80, 0x22], .invalidUTF8(offset: 1)),
    ("beyond U+10FFFF", [0x22, 0xF4, 0x90, 0x80, 0x80, 0x22], .invalidUTF8(offset: 1)),
    ("bare continuation byte", [0x22, 0x80, 0x22], .invalidUTF8(offset: 1)),
    ("cut UTF-8", [0x22, 0xE2, 0x82], .invalidUTF8(offset: 1)),
    ("too deep", Array(nested(Limits.jsonDepth + 1).utf8), .tooDeep(offset: Limits.jsonDepth)),
  ]

  @Test(arguments: refused.indices) func refusesWhatIsNotJSON(index: Int) {
    let (rule, bytes, error) = Self.refused[index]
    #expect(throws: error, "\(rule)") { try check(bytes) }
  }

  static let configRefused: [(rule: String, text: String, error: JSONError)] = [
    ("NUL in a key", #"{"a\u0000b":1}"#, .zeroInKey(offset: 12)),
    ("integer beyond 64 bits", #"{"a":9223372036854775808}"#, .integerOutOfRange(offset: 5)),
    ("number beyond f64", #"{"a":-1e400}"#, .numberOutOfRange(offset: 5)),
    ("key twice", #"{"a":1,"a":1}"#, .duplicateKey(key: [0x61], offset: 7)),
  ]

  @Test(arguments: configRefused.indices) func refusesConfigsThatAJSONLibraryWouldChange(index: Int) {
    let (rule, text, error) = Self.configRefused[index]
    #expect(throws: error, "\(rule)") { try ConfigJSON.parse(Array(text.utf8)) }
  }

  @Test(arguments: [
    ("0\r", JSONValue.int(0)), (" -7", .int(-7)), ("1.5", .double(1.5)), ("null", .null), ("\"a\"", "a"),
  ])
  func aConfigMayBeOneValueAlone(text: String, value: JSONValue) throws {
    #expect(try ConfigJSON.parse(Array(text.utf8)) == value)
  }

  @Test func acceptsTheDeepestAllowedNesting() throws { try check(nested(Limits.jsonDepth)) }

  @Test func unescapesStringsToTheirBytes() throws {
    var scanner = try JSONScanner(Array(#"  "a\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00\u0000é" "#.utf8))
    #expect(try scanner.string() == Array("a\"\\/\u{8}\u{C}\n\r\té😀\u{0}é".utf8))
    try scanner.finish()
  }

  @Test(arguments: [("0", 0), ("9223372036854775807", Int.max), (" 42 ", 42)])
  func readsUnsignedIntegers(text: String, value: Int) throws {
    var scanner = try JSONScanner(Array(text.utf8))
    #expect(try scanner.unsignedInteger() == value)
  }

  @Test(arguments: ["-1", "1.0", "1e3", "9223372036854775808", "18446744073709551616", "-0"])
  func refusesNumbersThatAreNoSizes(text: String) {
    #expect(throws: JSONError.notUnsigned(offset: 0)) {
      var scanner = try JSONScanner(Array(text.utf8))
      _ = try scanner.unsignedInteger()
    }
  }

  @Test func namesThatDifferInNormalisationAreTwoKeys() throws { try check("{\"\u{E9}\":1,\"e\u{301}\":2}") }

  @Test func noTruncationOfADocumentIsAccepted() {
    let text = Array(#"{"a":[1,2.5e-3,{"b":"c\u00e9"}],"d":true,"e":null}"#.utf8)
    for count in 0..<text.count { #expect(throws: JSONError.self) { try check(Array(text.prefix(count))) } }
  }

  @Test func neitherScannerNorLibraryFallsOverMutants() {
    var generator = SeededGenerator(1)
    let text = Array(#"{"a":[1,2.5e-3,{"b":"c\u00e9\ud83d\ude00"}],"d":true,"e":null,"f":-12}"#.utf8)
    for _ in 0..<10_000 { _ = try? ConfigJSON.parse(generator.mutant(of: text)) }
  }

  @Test func whatTheScannerAcceptsTheLibraryAcceptsToo() throws {
    let value = try ConfigJSON.parse(Array(#"{"s":"x\ny","n":-3,"d":0.5,"b":false,"z":null,"l":[1,[2]],"o":{}}"#.utf8))
    #expect(value["s"]?.string == "x\ny")
    #expect(value["n"] == .int(-3))
    #expect(value["d"] == .double(0.5))
    #expect(value["b"] == .bool(false))
    #expect(value["z"] == .null)
    #expect(value["l"] == [1, [2]])
    #expect(value["o"] == .object([]))
  }

  @Test func writtenTextReadsBackTheSame() throws {
    let value: JSONValue = .members([
      "a": "quote \" slash \\ tab \t bell \u{7} é", "b": [1, -2, 0.125], "c": .members(["d": .null, "e": true]),
      "f": .array([.members(["g": 1])]),
    ])
    for indent in [nil, 2] { #expect(try ConfigJSON.parse(Array(value.text(indent: indent).utf8)) == value) }
  }

  /// A tree costs memory by its values, not by its bytes.
  @Test func valuesAreCounted() throws {
    func list(_ item: String, _ count: Int) -> [UInt8] {
      Array(("[" + [String](repeating: item, count: count).joined(separator: ",") + "]").utf8)
    }
    let limit = Limits.jsonValueCount
    #expect(try ConfigJSON.parse(list("{}", limit - 1)).array?.count == limit - 1)
    for item in ["{}", "[]", "0", "\"\"", "null"] {
      #expect(throws: JSONError.self, "\(item)") { try ConfigJSON.parse(list(item, limit)) }
    }
    // Names of members count too.
    #expect(throws: JSONError.self) { try ConfigJSON.parse(list(#"{"a":0}"#, limit / 2)) }
    let long = [0x22] + [UInt8](repeating: 0x61, count: Limits.configByteCount - 2) + [0x22]
    #expect(try ConfigJSON.parse(long).string?.utf8.count == Limits.configByteCount - 2)
    #expect(throws: JSONError.tooLarge(byteCount: Limits.configByteCount + 1)) { try ConfigJSON.parse(long + [0x20]) }
  }

  @Test func configsMayHoldTheWordsThatPythonWrites() throws {
    let value = try ConfigJSON.parse(Array(#"{"a": NaN, "b": [Infinity, -Infinity], "c": 1}"#.utf8))
    #expect(value["a"]?.double?.isNaN == true)
    #expect(value["b"]?.array?.map(\.double) == [.infinity, -.infinity])
    for word in ["nan", "inf", "Nan", "-NaN", "+Infinity", "Infinit", "NaNs"] {
      #expect(throws: JSONError.self, "\(word)") { try ConfigJSON.parse(Array("[\(word)]".utf8)) }
    }
  }
}
