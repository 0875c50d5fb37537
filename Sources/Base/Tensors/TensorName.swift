import Glibc

extension String {
  /// The text of bytes from a file; what is not UTF-8 becomes U+FFFD.
  public init(utf8 bytes: some Collection<UInt8>) { self.init(decoding: bytes, as: UTF8.self) }
}

/// The name of a tensor, as bytes.
///
/// Swift's `String` treats canonically equivalent text as equal; files do not. Two names are the same only if their
/// UTF-8 bytes are.
public struct TensorName: Hashable, Sendable, Comparable, CustomStringConvertible, ExpressibleByStringLiteral {
  /// The UTF-8 bytes.
  public let utf8: [UInt8]

  public init(utf8: [UInt8]) { self.utf8 = utf8 }
  public init(_ text: String) { utf8 = Array(text.utf8) }
  public init(stringLiteral value: String) { self.init(value) }

  /// The name as text, exact for valid UTF-8.
  public var text: String { String(utf8: utf8) }

  public var description: String { text }

  /// Whether a shell pattern over whole names fits: `*`, `?` and `[...]`. A pattern that is the name itself always does.
  public func matches(pattern: String) -> Bool {
    pattern.utf8.elementsEqual(utf8) || fnmatch(pattern, text, 0) == 0
  }

  /// Order of the bytes.
  public static func < (a: Self, b: Self) -> Bool { a.utf8.lexicographicallyPrecedes(b.utf8) }
}
