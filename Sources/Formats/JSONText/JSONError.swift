import Tensors

/// A rule of RFC 8259, or of ours on top of it, that a text breaks. Offsets count bytes from the start of the text.
public enum JSONError: PlacelessError, Equatable {
  case empty
  case byteOrderMark
  case utf16
  case truncated(offset: Int)
  case unexpected(offset: Int, expected: String)
  case invalidUTF8(offset: Int)
  case controlCharacter(offset: Int)
  case badEscape(offset: Int)
  case loneSurrogate(offset: Int)
  case badNumber(offset: Int, rule: String)
  case notUnsigned(offset: Int)
  case integerOutOfRange(offset: Int)
  case numberOutOfRange(offset: Int)
  case tooDeep(offset: Int)
  case duplicateKey(key: [UInt8], offset: Int)
  case trailingText(offset: Int)
  case zeroInKey(offset: Int)
  case tooLarge(byteCount: Int)
  case tooManyValues(offset: Int)

  /// The rule in words, with the offset.
  public var explanation: (problem: String, expected: String?) {
    switch self {
    case .empty: ("is empty where JSON should stand", nil)
    case .byteOrderMark: ("starts with a byte order mark, which JSON forbids", nil)
    case .utf16: ("is UTF-16 or UTF-32, not UTF-8", "UTF-8")
    case .truncated(let offset): ("JSON ends too early at byte \(offset)", nil)
    case .unexpected(let offset, let expected): ("JSON is malformed at byte \(offset)", expected)
    case .invalidUTF8(let offset): ("text is not UTF-8 at byte \(offset)", nil)
    case .controlCharacter(let offset): ("a raw control character stands in a string at byte \(offset)", nil)
    case .badEscape(let offset): ("a string has an unknown escape at byte \(offset)", nil)
    case .loneSurrogate(let offset): ("a string has half of a surrogate pair at byte \(offset)", nil)
    case .badNumber(let offset, let rule): ("a number is malformed at byte \(offset): \(rule)", nil)
    case .notUnsigned(let offset): ("a number at byte \(offset) is out of range", "an integer from 0 to 2^63-1")
    case .integerOutOfRange(let offset): ("an integer at byte \(offset) does not fit 64 bits", nil)
    case .numberOutOfRange(let offset): ("a number at byte \(offset) is beyond the range of f64", nil)
    case .tooDeep(let offset): ("JSON is nested too deep at byte \(offset)", "at most \(Limits.jsonDepth) levels")
    case .duplicateKey(let key, let offset): ("key '\(String(utf8: key))' occurs twice, again at byte \(offset)", "one")
    case .trailingText(let offset): ("text follows the JSON value at byte \(offset)", "nothing")
    case .zeroInKey(let offset): ("a key holds a NUL character at byte \(offset)", nil)
    case .tooManyValues(let offset):
      ("JSON holds too many values, counted up to byte \(offset)", "at most \(Limits.jsonValueCount)")
    case .tooLarge(let count): ("JSON text is too large: \(count) bytes", "at most \(Limits.configByteCount)")
    }
  }

  /// The report for a text that stands in the named file.
  public func report(at place: String) -> ErrorReport {
    let (problem, expected) = explanation
    return ErrorReport(.badData, at: place, problem, expected: expected)
  }
}
