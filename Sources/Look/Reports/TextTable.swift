import Tensors

/// A table of text columns.
public struct TextTable {
  public enum Alignment: Sendable {
    case left
    case right
  }

  private let columns: [(title: String, alignment: Alignment)]
  private var rows: [[String]] = []

  public init(_ columns: [(title: String, alignment: Alignment)]) { self.columns = columns }

  /// Adds a row. Cells are measured as they will be shown, and long ones are cut.
  public mutating func add(_ cells: [String]) {
    rows.append(cells.map { PrintableText.shortened(PrintableText.line($0), to: 200) })
  }

  /// A line of titles, then the rows; columns two spaces apart, no space at the end of a line.
  public var lines: [String] {
    let lines = [columns.map(\.title)] + rows
    let widths = columns.indices.map { column in lines.map { $0[column].count }.max() ?? 0 }
    return lines.map { cells in
      var line = ""
      for (column, cell) in cells.enumerated() {
        let space = String(repeating: " ", count: widths[column] - cell.count)
        line += (column > 0 ? "  " : "") + (columns[column].alignment == .left ? cell + space : space + cell)
      }
      while line.hasSuffix(" ") { line.removeLast() }
      return line
    }
  }
}
