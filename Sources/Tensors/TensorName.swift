import Glibc

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
  public var text: String { String(decoding: utf8, as: UTF8.self) }

  /// The name made safe for a terminal: see ``printable(_:limit:)-(String,_)``.
  public var description: String { printable(utf8) }

  /// Whether a shell pattern over whole names fits: `*`, `?` and `[...]`. A pattern that is the name itself always does.
  public func matches(pattern: String) -> Bool {
    pattern.utf8.elementsEqual(utf8) || fnmatch(pattern, text, 0) == 0
  }

  /// Order of the bytes.
  public static func < (a: Self, b: Self) -> Bool { a.utf8.lexicographicallyPrecedes(b.utf8) }
}

/// Text from a file made safe to print: control characters, invalid UTF-8 and direction overrides are escaped, and more
/// than `limit` characters are cut in the middle.
public func printable(_ utf8: some Sequence<UInt8>, limit: Int = 120) -> String {
  printable(String(decoding: Array(utf8), as: UTF8.self), limit: limit)
}

/// Text made safe to print. A path or name that is already harmless comes back unchanged.
public func printable(_ text: String, limit: Int = 120) -> String {
  var scalars: [String] = []
  for scalar in text.unicodeScalars {
    switch scalar.properties.generalCategory {
    case .control, .format, .surrogate, .lineSeparator, .paragraphSeparator, .privateUse, .unassigned:
      scalars.append("\\u{\(String(scalar.value, radix: 16))}")
    default: scalars.append(String(scalar))
    }
  }
  guard scalars.count > limit else { return scalars.joined() }
  let tail = limit / 3
  return scalars.prefix(limit - tail - 1).joined() + "…" + scalars.suffix(tail).joined()
}
