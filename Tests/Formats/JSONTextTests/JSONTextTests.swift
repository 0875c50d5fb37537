import JSONText
import Tensors
import Testing
import TestSupport

@Suite struct JSONTextTests {
  private func quoted(_ text: String) -> String {
    var out: [UInt8] = []
    JSONValue.quote(text.utf8, to: &out)
    return String(decoding: out, as: UTF8.self)
  }

  @Test func whatMustNotReachATerminalIsEscaped() {
    for scalar in HostileText.scalars where !"\n\r\t".unicodeScalars.contains(scalar) {
      let hex = String(scalar.value, radix: 16)
      #expect(quoted("a\(scalar)") == "\"a\\u" + String(repeating: "0", count: 4 - hex.count) + hex + "\"")
    }
    #expect(quoted("\n\r\t\"\\/") == #""\n\r\t\"\\/""#)
    #expect(quoted("\u{E0041}") == #""\udb40\udc41""#, "beyond 16 bits as a pair")
    #expect(quoted("päck ☃ 👩‍👧 模型") == "\"päck ☃ 👩‍👧 模型\"")
  }

  /// Names in the headers and indexes that are written mean the same bytes.
  @Test func whatIsEscapedReadsBackAsItWas() throws {
    let all = String(String.UnicodeScalarView(HostileText.scalars)) + HostileText.name + "e\u{301}é\u{E0041}😀\\u001b"
    var scanner = try JSONScanner(Array(quoted(all).utf8))
    #expect(try scanner.string() == Array(all.utf8))
    try scanner.finish()
    // Keys may not hold NUL, values may.
    let value: JSONValue = .object([.init(HostileText.name, .string(all))])
    for indent in [nil, 1] {
      let text = value.text(indent: indent)
      #expect(HostileText.harm(in: text).isEmpty)
      #expect(try ConfigJSON.parse(Array(text.utf8)) == value)
    }
  }

  @Test func errorsSayThemselvesWithoutAPlace() {
    #expect("\(JSONError.truncated(offset: 7))" == "JSON ends too early at byte 7")
    #expect(HostileText.harm(in: "\(JSONError.duplicateKey(key: Array(HostileText.name.utf8), offset: 1))").isEmpty)
  }
}
