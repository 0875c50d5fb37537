import Tensors

/// Reads JSON strictly, value by value, without building a tree.
///
/// For texts where leniency changes meaning: safetensors headers, shard indexes, tokenizers. Refuses everything that
/// RFC 8259 refuses, and also keys that occur twice, lone surrogates, and nesting beyond ``Limits/jsonDepth``.
public struct JSONScanner {
  private let bytes: [UInt8]
  public private(set) var offset = 0
  private var depth = 0
  /// Values of a tree that were passed over.
  private var treeValueCount = 0

  /// - Throws: ``JSONError`` for an empty text, a byte order mark, or UTF-16.
  public init(_ bytes: [UInt8]) throws(JSONError) {
    guard let first = bytes.first else { throw .empty }
    if bytes.starts(with: [0xEF, 0xBB, 0xBF]) { throw .byteOrderMark }
    if bytes.starts(with: [0xFF, 0xFE]) || bytes.starts(with: [0xFE, 0xFF]) || first == 0
      || (bytes.count > 1 && bytes[1] == 0)
    {
      throw .utf16
    }
    self.bytes = bytes
  }

  /// A container that is being read: remembers its keys.
  public struct Container {
    var isFirst = true
    var keys: Set<[UInt8]> = []
  }

  // MARK: Structure

  private mutating func skipSpace() {
    while offset < bytes.count {
      switch bytes[offset] {
      case 0x20, 0x09, 0x0A, 0x0D: offset += 1
      default: return
      }
    }
  }

  /// The next byte that is not white space, without taking it.
  public mutating func peek() throws(JSONError) -> UInt8 {
    skipSpace()
    guard offset < bytes.count else { throw .truncated(offset: offset) }
    return bytes[offset]
  }

  private mutating func take(_ byte: UInt8, _ expected: String) throws(JSONError) {
    guard try peek() == byte else { throw .unexpected(offset: offset, expected: expected) }
    offset += 1
  }

  private mutating func open(_ byte: UInt8, _ expected: String) throws(JSONError) -> Container {
    try take(byte, expected)
    depth += 1
    guard depth <= Limits.jsonDepth else { throw .tooDeep(offset: offset - 1) }
    return Container()
  }

  public mutating func beginObject() throws(JSONError) -> Container { try open(UInt8(ascii: "{"), "an object '{'") }
  public mutating func beginArray() throws(JSONError) -> Container { try open(UInt8(ascii: "["), "an array '['") }

  /// The next key of an object, its colon taken; nil at the end.
  public mutating func nextKey(_ container: inout Container) throws(JSONError) -> [UInt8]? {
    guard try advance(&container, close: UInt8(ascii: "}")) else { return nil }
    let start = offset
    let key = try string()
    try take(UInt8(ascii: ":"), "':'")
    guard container.keys.insert(key).inserted else { throw .duplicateKey(key: key, offset: start) }
    return key
  }

  /// Moves to the next element of an array; false at the end.
  public mutating func nextElement(_ container: inout Container) throws(JSONError) -> Bool {
    try advance(&container, close: UInt8(ascii: "]"))
  }

  private mutating func advance(_ container: inout Container, close: UInt8) throws(JSONError) -> Bool {
    let byte = try peek()
    if byte == close {
      offset += 1
      depth -= 1
      return false
    }
    if container.isFirst {
      container.isFirst = false
    } else {
      guard byte == UInt8(ascii: ",") else {
        throw .unexpected(offset: offset, expected: "',' or '\(Character(UnicodeScalar(close)))'")
      }
      offset += 1
      if try peek() == close { throw .unexpected(offset: offset, expected: "a value after ','") }
    }
    return true
  }

  /// Checks that nothing but white space follows.
  public mutating func finish() throws(JSONError) {
    skipSpace()
    guard offset == bytes.count else { throw .trailingText(offset: offset) }
  }

  // MARK: Values

  /// A string, unescaped, as UTF-8.
  public mutating func string() throws(JSONError) -> [UInt8] {
    guard try peek() == UInt8(ascii: "\"") else { throw .unexpected(offset: offset, expected: "a string") }
    offset += 1
    var plainStart = offset
    var result: [UInt8] = []
    while true {
      guard offset < bytes.count else { throw .truncated(offset: offset) }
      let byte = bytes[offset]
      switch byte {
      case UInt8(ascii: "\""):
        result += bytes[plainStart..<offset]
        offset += 1
        return result
      case UInt8(ascii: "\\"):
        result += bytes[plainStart..<offset]
        try escape(into: &result)
        plainStart = offset
      case 0..<0x20: throw .controlCharacter(offset: offset)
      case 0x20..<0x80: offset += 1
      default: try multibyte()
      }
    }
  }

  private mutating func multibyte() throws(JSONError) {
    let lead = bytes[offset]
    let (length, lowest): (Int, UInt32)
    switch lead {
    case 0xC2...0xDF: (length, lowest) = (2, 0x80)
    case 0xE0...0xEF: (length, lowest) = (3, 0x800)
    case 0xF0...0xF4: (length, lowest) = (4, 0x10000)
    default: throw .invalidUTF8(offset: offset)
    }
    guard offset + length <= bytes.count else { throw .invalidUTF8(offset: offset) }
    var scalar = UInt32(lead) & (0x7F >> UInt32(length))
    for byte in bytes[offset + 1..<offset + length] {
      guard byte & 0xC0 == 0x80 else { throw .invalidUTF8(offset: offset) }
      scalar = scalar << 6 | UInt32(byte & 0x3F)
    }
    guard scalar >= lowest, Unicode.Scalar(scalar) != nil else { throw .invalidUTF8(offset: offset) }
    offset += length
  }

  private mutating func escape(into result: inout [UInt8]) throws(JSONError) {
    let start = offset
    guard offset + 1 < bytes.count else { throw .truncated(offset: offset) }
    let kind = bytes[offset + 1]
    offset += 2
    switch kind {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): result.append(kind)
    case UInt8(ascii: "b"): result.append(8)
    case UInt8(ascii: "f"): result.append(12)
    case UInt8(ascii: "n"): result.append(10)
    case UInt8(ascii: "r"): result.append(13)
    case UInt8(ascii: "t"): result.append(9)
    case UInt8(ascii: "u"):
      var scalar = try hex4()
      if scalar & 0xFC00 == 0xD800 {
        guard offset + 1 < bytes.count, bytes[offset] == UInt8(ascii: "\\"), bytes[offset + 1] == UInt8(ascii: "u")
        else { throw .loneSurrogate(offset: start) }
        offset += 2
        let low = try hex4()
        guard low & 0xFC00 == 0xDC00 else { throw .loneSurrogate(offset: start) }
        scalar = 0x10000 + (scalar & 0x3FF) << 10 + (low & 0x3FF)
      }
      guard let unicode = Unicode.Scalar(scalar) else { throw .loneSurrogate(offset: start) }
      result += UTF8.encode(unicode)!
    default: throw .badEscape(offset: start)
    }
  }

  private mutating func hex4() throws(JSONError) -> UInt32 {
    guard offset + 4 <= bytes.count else { throw .truncated(offset: bytes.count) }
    var value: UInt32 = 0
    for byte in bytes[offset..<offset + 4] {
      switch byte {
      case 0x30...0x39: value = value << 4 | UInt32(byte - 0x30)
      case 0x41...0x46: value = value << 4 | UInt32(byte - 0x37)
      case 0x61...0x66: value = value << 4 | UInt32(byte - 0x57)
      default: throw .badEscape(offset: offset)
      }
    }
    offset += 4
    return value
  }

  /// An integer from 0 to 2^63-1, written without fraction or exponent.
  public mutating func unsignedInteger() throws(JSONError) -> Int {
    let start = try { () throws(JSONError) in
      _ = try peek()
      return offset
    }()
    let byte = bytes[start]
    guard (0x30...0x39).contains(byte) || byte == UInt8(ascii: "-") else {
      throw .unexpected(offset: start, expected: "a number")
    }
    guard try number(), byte != UInt8(ascii: "-") else { throw .notUnsigned(offset: start) }
    var value = 0
    for digit in bytes[start..<offset] {
      let (scaled, overflow) = value.multipliedReportingOverflow(by: 10)
      let (sum, carry) = scaled.addingReportingOverflow(Int(digit - 0x30))
      guard !overflow, !carry else { throw .notUnsigned(offset: start) }
      value = sum
    }
    return value
  }

  /// Passes over a number; true where it is an integer.
  private mutating func number() throws(JSONError) -> Bool {
    let start = offset
    var isInteger = true
    if bytes[offset] == UInt8(ascii: "-") { offset += 1 }
    let first = offset
    try digits(start)
    if bytes[first] == UInt8(ascii: "0"), offset - first > 1 {
      throw .badNumber(offset: start, rule: "it has a leading zero")
    }
    if offset < bytes.count, bytes[offset] == UInt8(ascii: ".") {
      offset += 1
      isInteger = false
      try digits(start)
    }
    if offset < bytes.count, bytes[offset] | 0x20 == UInt8(ascii: "e") {
      offset += 1
      isInteger = false
      if offset < bytes.count, bytes[offset] == UInt8(ascii: "+") || bytes[offset] == UInt8(ascii: "-") { offset += 1 }
      try digits(start)
    }
    return isInteger
  }

  private mutating func digits(_ start: Int) throws(JSONError) {
    let first = offset
    while offset < bytes.count, (0x30...0x39).contains(bytes[offset]) { offset += 1 }
    guard offset > first else { throw .badNumber(offset: start, rule: "a digit is missing") }
    guard offset - first <= 400 else { throw .badNumber(offset: start, rule: "it has too many digits") }
  }

  private mutating func literal(_ text: StaticString) throws(JSONError) {
    let length = text.utf8CodeUnitCount
    let matches = text.withUTF8Buffer { literal in bytes[offset...].prefix(length).elementsEqual(literal) }
    guard matches else { throw .unexpected(offset: offset, expected: "a JSON value") }
    offset += length
  }

  public mutating func boolean() throws(JSONError) -> Bool {
    if try peek() == UInt8(ascii: "t") {
      try literal("true")
      return true
    }
    try literal("false")
    return false
  }

  /// Passes over one value of any kind, with all checks.
  /// - Parameters:
  ///   - forConfig: for a text that becomes a tree: also refuse what a C string or a 64-bit integer cannot hold (NUL in keys,
  ///     integers beyond 64 bits, other numbers beyond f64) and more than ``Limits/jsonValueCount`` values.
  ///   - takesNaN: take `NaN`, `Infinity` and `-Infinity`, which Python writes.
  public mutating func skipValue(forConfig: Bool = false, takesNaN: Bool = false) throws(JSONError) {
    if forConfig {
      treeValueCount += 1
      guard treeValueCount <= Limits.jsonValueCount else { throw .tooManyValues(offset: offset) }
    }
    switch try peek() {
    case UInt8(ascii: "{"):
      var object = try beginObject()
      while let key = try nextKey(&object) {
        if forConfig && key.contains(0) { throw .zeroInKey(offset: offset) }
        try skipValue(forConfig: forConfig, takesNaN: takesNaN)
      }
    case UInt8(ascii: "["):
      var array = try beginArray()
      while try nextElement(&array) { try skipValue(forConfig: forConfig, takesNaN: takesNaN) }
    case UInt8(ascii: "\""): _ = try string()
    case UInt8(ascii: "t"): try literal("true")
    case UInt8(ascii: "f"): try literal("false")
    case UInt8(ascii: "n"): try literal("null")
    case UInt8(ascii: "N") where takesNaN: try literal("NaN")
    case UInt8(ascii: "I") where takesNaN: try literal("Infinity")
    case UInt8(ascii: "-") where takesNaN && bytes[offset...].dropFirst().first == UInt8(ascii: "I"):
      try literal("-Infinity")
    case UInt8(ascii: "-"), 0x30...0x39:
      let start = offset
      let isInteger = try number()
      guard forConfig else { break }
      let text = String(decoding: bytes[start..<offset], as: UTF8.self)
      if isInteger {
        guard Int64(text) != nil else { throw .integerOutOfRange(offset: start) }
      } else {
        guard Double(text)?.isFinite == true else { throw .numberOutOfRange(offset: start) }
      }
    default: throw .unexpected(offset: offset, expected: "a JSON value")
    }
  }
}
