import JSONText
import Tensors

/// Something to look at: lines for people, a document for programs.
public protocol Presentation {
  /// Lines with the text of files as it stands there. Whoever shows them makes them safe, as ``text`` does: a line end within
  /// one of them is no line end of the screen.
  var lines: [String] { get }
  var json: JSONValue { get }
}

extension Presentation {
  /// The lines, safe to print.
  public var text: String { lines.map(PrintableText.line).joined(separator: "\n") }
}
