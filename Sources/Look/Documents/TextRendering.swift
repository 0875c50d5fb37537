import Tensors

extension Document {
  /// Lines for people, safe to print, none longer than the screen is wide. Entries of one kind stand together, an empty line
  /// between them and the next.
  public func lines(_ style: TextStyle = TextStyle()) -> [String] {
    var result: [String] = []
    let titleWidth = entries.map { if case .fact(_, let title, _) = $0 { title.count } else { 0 } }.max() ?? 0
    var last: Int?
    for entry in entries {
      let (kind, lines) = text(entry, titleWidth, style)
      guard !lines.isEmpty else { continue }
      if let last, last != kind || kind == Self.tableKind { result.append("") }
      result += lines
      last = kind
    }
    return result
  }

  private static let tableKind = 2

  private func text(_ entry: Entry, _ titleWidth: Int, _ style: TextStyle) -> (kind: Int, lines: [String]) {
    switch entry {
    case .fact(_, let title, let cell):
      let value = PrintableText.line(cell.text)
      guard !value.isEmpty else { return (0, []) }
      return (0, Self.wrapped(title.padded(to: titleWidth) + "  " + value, indent: titleWidth + 2, style.width))
    case .note(let sentence): return (1, Self.wrapped(PrintableText.line(sentence), indent: 2, style.width))
    case .warning(let sentence):
      let lines = Self.wrapped(PrintableText.line(sentence), indent: 2, style.width)
      return (3, lines.map { style.colored($0, .red) })
    case .heading(let title): return (4, [style.colored(PrintableText.line(title), .bold)])
    case .drawing(let lines): return (5, lines.map(PrintableText.line))
    case .table(let table): return (Self.tableKind, table.form == .wide ? [] : table.lines(style))
    case .data: return (6, [])
    }
  }

  /// Lines of at most `width` characters, broken between words; what follows the first is indented.
  static func wrapped(_ line: String, indent: Int, _ width: Int?) -> [String] {
    guard let width, line.count > width else { return [line] }
    var lines: [String] = []
    var current = ""
    for word in line.split(separator: " ", omittingEmptySubsequences: false) {
      if !current.isEmpty, current.count + 1 + word.count > width, current.contains(where: { $0 != " " }) {
        lines.append(current)
        current = String(repeating: " ", count: min(indent, width / 2)) + word
      } else {
        current += (current.isEmpty ? "" : " ") + word
      }
    }
    return lines + [current]
  }
}

extension String {
  func padded(to width: Int, atRight: Bool = false) -> String {
    let space = String(repeating: " ", count: max(0, width - count))
    return atRight ? space + self : self + space
  }
}
