import JSONText

/// Forms in which a document leaves the program.
public enum DocumentFormat: String, CaseIterable, Sendable {
  case text, md, csv, json
}

extension Document {
  /// Lines in a form. Markdown and comma-separated values show its tables; Markdown its facts and sentences as well.
  public func lines(as format: DocumentFormat, _ style: TextStyle = TextStyle()) -> [String] {
    switch format {
    case .text: lines(style)
    case .md: markdown
    case .csv:
      // One table a file: a reader of such values expects no other.
      entries.lazy.compactMap { if case .table(let table) = $0, table.key != nil { table.csv } else { nil } }.first
        ?? []
    case .json: json.lines(indent: 1)
    }
  }

  private var markdown: [String] {
    let parts: [[String]] = entries.map { entry in
      switch entry {
      case .fact(_, let title, let cell): cell == .absent ? [] : ["- \(title): \(cell.text)"]
      case .table(let table): table.rows.isEmpty || table.key == nil ? [] : table.markdown
      case .note(let sentence), .warning(let sentence): [sentence]
      case .heading(let title): ["## \(title)"]
      case .drawing(let lines): ["```"] + lines + ["```"]
      case .data: []
      }
    }
    return Array(parts.filter { !$0.isEmpty }.joined(separator: [""]))
  }
}
