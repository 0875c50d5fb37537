import Tensors

extension Table {
  /// A line of titles, then the lines that fit the style; columns two spaces apart.
  public func lines(_ style: TextStyle = TextStyle()) -> [String] {
    guard !rows.isEmpty else { return whenEmpty.map { [$0] } ?? [] }
    let all = lines(isFolded: !style.showsAll)
    let count = style.showsAll ? all.count : min(all.count, style.top ?? usualCount ?? all.count)
    let cells = all[..<count].map { line in line.cells.map { PrintableText.shortened(PrintableText.line($0), to: 200) }
    }
    let setting = Setting(self, cells, style.width)
    var result = [style.colored(setting.line(columns.map { $0.title ?? "" }), .bold)] + cells.map(setting.line)
    if count < all.count {
      let rest = all[count...].reduce(0) { $0 + $1.rowCount }
      result.append("... \(rest) more of \(rows.count): --top N, --all")
    }
    return result
  }

  /// Which columns are shown, and how wide.
  private struct Setting {
    private let shown: [Int]
    private let widths: [Int]
    private let isNumber: [Bool]
    private static let gap = 2
    /// What a name keeps where room is scarce.
    private static let leastNameWidth = 20

    init(_ table: Table, _ cells: [[String]], _ screen: Int?) {
      let columns = table.columns
      isNumber = columns.indices.map { column in table.rows.contains { $0[column].isNumber } }
      let names = columns.indices.filter { column in
        table.rows.contains { if case .name = $0[column] { true } else { false } }
      }
      var widths = columns.indices.map { column in
        max(columns[column].title?.count ?? 0, cells.map { $0[column].count }.max() ?? 0)
      }
      // A column without a single value says nothing.
      var shown = columns.indices.filter { column in
        columns[column].title != nil && cells.contains { !$0[column].isEmpty }
      }
      if let screen = screen.map({ max($0, TextStyle.leastWidth) }) {
        func excess(_ widths: [Int]) -> Int { shown.reduce(-Self.gap) { $0 + widths[$1] + Self.gap } - screen }
        let least = columns.indices.map { column in
          names.contains(column)
            ? min(widths[column], max(Self.leastNameWidth, columns[column].title?.count ?? 0)) : widths[column]
        }
        // First columns go that matter less, then names lose their middles.
        while excess(least) > 0, let last = shown.max(by: { columns[$0].rank < columns[$1].rank }),
          columns[last].rank > 0
        {
          shown.removeAll { $0 == last }
        }
        for column in names.reversed() where shown.contains(column) && excess(widths) > 0 {
          widths[column] = max(least[column], widths[column] - excess(widths))
        }
      }
      self.shown = shown
      self.widths = widths
    }

    /// A text without its middle. Of a tensor's name the end tells more than the start.
    private static func fitted(_ text: String, to width: Int) -> String {
      guard text.count > width else { return text }
      let tail = (width - 1) * 2 / 3
      return text.prefix(width - 1 - tail) + "…" + text.suffix(tail)
    }

    func line(_ cells: [String]) -> String {
      var line = ""
      for (position, column) in shown.enumerated() {
        let cell = Self.fitted(cells[column], to: widths[column])
        line += (position > 0 ? String(repeating: " ", count: Self.gap) : "")
        line += cell.padded(to: widths[column], atRight: isNumber[column])
      }
      while line.hasSuffix(" ") { line.removeLast() }
      return line
    }
  }
}
