import Tensors

extension Table {
  /// A line of titles, then the lines that fit the style; columns two spaces apart. A last column of words goes on in further lines
  /// where it is longer than its place.
  public func lines(_ style: TextStyle = TextStyle()) -> [String] {
    guard !rows.isEmpty else { return whenEmpty.map { [$0] } ?? [] }
    guard columns.contains(where: { $0.title != nil }) else { return [] }
    let all = lines(isFolded: !style.showsAll)
    let count = style.showsAll ? all.count : min(all.count, style.top ?? usualCount ?? all.count)
    let cells = all[..<count].map { line in line.cells.map { PrintableText.shortened(PrintableText.line($0), to: 200) }
    }
    let setting = Setting(self, cells, style.width)
    let titles = setting.lines(columns.map { $0.title ?? "" }).map { style.colored($0, .bold) }
    var result = titles + cells.flatMap(setting.lines)
    if count < all.count {
      let rest = all[count...].reduce(0) { $0 + $1.rowCount }
      result.append("... \(rest) more of \(rows.count)" + (style.advice.map { ": " + $0 } ?? ""))
    }
    return result
  }

  /// Which columns are shown, and how wide.
  private struct Setting {
    private let shown: [Int]
    private let widths: [Int]
    private let isNumber: [Bool]
    /// The last column, where it holds words that may go on in further lines.
    private let words: Int?
    private static let gap = 2
    /// What a name or words keep where room is scarce.
    private static let leastWidth = 20
    /// What a name should have: columns that matter less make room for it.
    private static let nameWidth = 36

    init(_ table: Table, _ cells: [[String]], _ screen: Int?) {
      let columns = table.columns
      isNumber = columns.indices.map(table.isNumber)
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
      let words = shown.last.flatMap { last in
        table.rows.contains { if case .text = $0[last] { true } else { false } } ? last : nil
      }
      if let screen = screen.map({ max($0, TextStyle.leastWidth) }) {
        func excess(_ widths: [Int]) -> Int { shown.reduce(-Self.gap) { $0 + widths[$1] + Self.gap } - screen }
        func least(_ width: Int, _ column: Int) -> Int {
          min(widths[column], max(width, columns[column].title?.count ?? 0))
        }
        let wanted = columns.indices.map { column in
          names.contains(column)
            ? least(Self.nameWidth, column) : column == words ? least(Self.leastWidth, column) : widths[column]
        }
        // First columns go that matter less, then words go on in further lines, then names lose their middles.
        while excess(wanted) > 0, let last = shown.max(by: { columns[$0].rank < columns[$1].rank }),
          columns[last].rank > 0
        {
          shown.removeAll { $0 == last }
        }
        for column in [words].compactMap(\.self) + names.reversed() where shown.contains(column) && excess(widths) > 0 {
          widths[column] = max(least(Self.leastWidth, column), widths[column] - excess(widths))
        }
      }
      self.shown = shown
      self.widths = widths
      self.words = words
    }

    /// A text without its middle. Of a tensor's name the end tells more than the start.
    private static func fitted(_ text: String, to width: Int) -> String {
      guard text.count > width else { return text }
      let tail = (width - 1) * 2 / 3
      return text.prefix(width - 1 - tail) + "…" + text.suffix(tail)
    }

    func lines(_ cells: [String]) -> [String] {
      var line = ""
      for (position, column) in shown.enumerated() {
        line += (position > 0 ? String(repeating: " ", count: Self.gap) : "")
        if column == words {
          let start = line.count
          let parts = Document.wrapped(cells[column], indent: 0, widths[column])
          let rest = parts.dropFirst().map { String(repeating: " ", count: start) + $0 }
          return ([line + parts[0]] + rest).map(Self.trimmed)
        }
        let cell = Self.fitted(cells[column], to: widths[column])
        line += cell.padded(to: widths[column], atRight: isNumber[column])
      }
      return [Self.trimmed(line)]
    }

    private static func trimmed(_ line: String) -> String {
      var line = line
      while line.hasSuffix(" ") { line.removeLast() }
      return line
    }
  }
}
