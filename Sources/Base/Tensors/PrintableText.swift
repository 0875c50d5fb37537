/// Text from files as people may see it.
///
/// Models, errors and reports keep text as it is. It is made safe once, where it leaves the program for somebody's eyes: in
/// ``ErrorReport/message`` and where lines are written to a terminal. What is safe already comes back unchanged, so nothing is
/// lost where two such places meet.
public enum PrintableText {
  /// Text on one line: whatever ends lines, steers a terminal, hides or turns text around is written as `\u{1b}`.
  public static func line(_ text: String) -> String { escaped(text) { $0.isUnprintable } }

  /// Text of several lines, such as a model's answer: line ends and tabs stay.
  public static func passage(_ text: String) -> String {
    escaped(text) { $0.isUnprintable && $0 != "\n" && $0 != "\t" }
  }

  private static func escaped(_ text: String, where isEscaped: (Unicode.Scalar) -> Bool) -> String {
    guard text.unicodeScalars.contains(where: isEscaped) else { return text }
    var result = String.UnicodeScalarView()
    for scalar in text.unicodeScalars {
      if isEscaped(scalar) {
        result += "\\u{\(String(scalar.value, radix: 16))}".unicodeScalars
      } else {
        result.append(scalar)
      }
    }
    return String(result)
  }

  /// Text of more than `limit` code points cut in the middle: a name from a file may be long, and its end tells as much as its
  /// start.
  public static func shortened(_ text: String, to limit: Int = 120) -> String {
    let scalars = text.unicodeScalars
    guard text.utf8.count > limit, scalars.count > limit else { return text }
    let tail = limit / 3
    return String(String.UnicodeScalarView(scalars.prefix(limit - tail - 1))) + "…"
      + String(String.UnicodeScalarView(scalars.suffix(tail)))
  }
}

extension Unicode.Scalar {
  /// Whether the character is a control of a terminal or of lines (C0, DEL, C1, U+2028, U+2029), or a format that shows nothing
  /// itself: direction marks and overrides, zero-width spaces, tags. Joiners are not among them: words and emoji need them.
  public var isUnprintable: Bool {
    if value < 0x7F { return value < 0x20 }
    switch properties.generalCategory {
    case .control, .lineSeparator, .paragraphSeparator: return true
    case .format, .unassigned: return properties.isDefaultIgnorableCodePoint && !(0x200C...0x200D).contains(value)
    default: return false
    }
  }
}
