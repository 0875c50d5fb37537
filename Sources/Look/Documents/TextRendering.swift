import Tensors

extension Document {
  /// Lines for people, safe to print, none longer than the screen is wide unless a word is. Entries of one kind stand together, an
  /// empty line between them and the next; what a heading stands over follows it.
  public func lines(_ style: TextStyle = TextStyle()) -> [String] {
    var result: [String] = []
    let titleWidth = entries.map { if case .fact(_, let title, _) = $0 { title.count } else { 0 } }.max() ?? 0
    var last: Int?
    for entry in entries {
      let (kind, lines) = text(entry, titleWidth, style)
      guard !lines.isEmpty else { continue }
      if let last, last != Self.headingKind, last != kind || kind == Self.tableKind { result.append("") }
      result += lines
      last = kind
    }
    return result
  }

  private static let tableKind = 2
  private static let headingKind = 4
  /// Code points of a fact at most: a file may hold text of any length.
  private static let factLimit = 500
  private static let leastFactWidth = 20

  private func text(_ entry: Entry, _ titleWidth: Int, _ style: TextStyle) -> (kind: Int, lines: [String]) {
    switch entry {
    case .fact(_, let title, let cell):
      let value = PrintableText.shortened(PrintableText.line(cell.text), to: Self.factLimit)
      guard !value.isEmpty else { return (0, []) }
      let parts = Self.wrapped(value, indent: 0, style.width.map { max(Self.leastFactWidth, $0 - titleWidth - 2) })
      return (0, parts.enumerated().map { ($0 == 0 ? title : "").padded(to: titleWidth) + "  " + $1 })
    case .note(let sentence): return (1, Self.wrapped(PrintableText.line(sentence), indent: 2, style.width))
    case .warning(let sentence):
      let lines = Self.wrapped(PrintableText.line(sentence), indent: 2, style.width)
      return (3, lines.map { style.colored($0, .red) })
    case .heading(let title): return (Self.headingKind, [style.colored(PrintableText.line(title), .bold)])
    case .drawing(let lines): return (5, lines.map(PrintableText.line))
    case .table(let table): return (Self.tableKind, table.isWide ? [] : table.lines(style))
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
