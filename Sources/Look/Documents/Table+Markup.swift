import Tensors

extension Table {
  /// Columns that tell people something.
  private var titled: [Int] {
    columns.indices.filter { column in columns[column].title != nil && rows.contains { !$0[column].text.isEmpty } }
  }

  /// A table in Markdown: every row.
  public var markdown: [String] {
    let lines =
      [
        titled.map { columns[$0].title! },
        titled.map { isNumber($0) ? "---:" : "---" },
      ]
      + rows.map { row in titled.map { PrintableText.line(row[$0].text).replacing("|", with: "\\|") } }
    return lines.map { "| " + $0.joined(separator: " | ") + " |" }
  }

  /// Comma-separated values (RFC 4180) under the names that JSON has, exact as there.
  public var csv: [String] {
    let keyed = columns.indices.filter { columns[$0].key != nil }
    return ([keyed.map { columns[$0].key! }] + rows.map { row in keyed.map { row[$0].plain } })
      .map { $0.map(Self.quoted).joined(separator: ",") }
  }

  private static func quoted(_ field: String) -> String {
    guard field.contains(where: { ",\"\r\n".contains($0) }) else { return field }
    return "\"" + field.replacing("\"", with: "\"\"") + "\""
  }
}

extension Cell {
  /// A field of comma-separated values.
  fileprivate var plain: String {
    switch self {
    case .absent: ""
    case .shape(let sizes): sizes.map(String.init).joined(separator: "x")
    default: json.string ?? json.text(indent: nil)
    }
  }
}
