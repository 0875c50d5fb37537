/// Text that would harm who reads it raw: it moves the cursor, colours, hides, turns around, and forges a line.
public enum HostileText {
  /// C0, a line end, DEL, C1, U+2028, U+200B, and every control of direction.
  public static let scalars: [Unicode.Scalar] =
    [0x00...0x1F, 0x7F...0x9F, 0x200B...0x200B, 0x200E...0x200F, 0x2028...0x202E, 0x2066...0x2069, 0x61C...0x61C]
    .flatMap { $0.map { Unicode.Scalar(UInt32($0))! } }

  /// A name that files can have, without `/` and NUL.
  public static let name = "a\u{1B}[31m\u{9B}2J\u{202E}z\u{2066}\u{200F}\u{7F}\u{85}\r\nforged: sound\tb"

  /// What of a text does not belong on a terminal, where only the program's own line ends may be.
  public static func harm(in text: String) -> [String] {
    let harm = text.unicodeScalars.filter { $0 != "\n" && scalars.contains($0) }.map { String($0.value, radix: 16) }
    return harm + text.split(separator: "\n").filter { $0.contains(#/^\s*forged/#) }.map(String.init)
  }
}
