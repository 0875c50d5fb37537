extension Table {
  /// A line for people: rows that were folded into one, or one row.
  struct Line {
    var cells: [String]
    /// What the order looks at.
    var sortKey: Double?
    let rowCount: Int
  }

  /// Lines in their order.
  /// - Parameter isFolded: whether rows of alike names come together.
  func lines(isFolded: Bool) -> [Line] {
    let lines = isFolded ? foldedLines : rows.map { line([$0], members: [""]) }
    guard let order else { return lines }
    return lines.enumerated().sorted { a, b in
      let (x, y) = (a.element.sortKey, b.element.sortKey)
      // What has no value here comes first: it stands for something that could not be compared.
      if x == y || (x?.isNaN ?? false) && (y?.isNaN ?? false) { return a.offset < b.offset }
      guard let x, !x.isNaN else { return true }
      guard let y, !y.isNaN else { return false }
      return order.isAscending ? x < y : x > y
    }.map(\.element)
  }

  private var foldedLines: [Line] {
    guard let folding else { return rows.map { line([$0], members: [""]) } }
    let names = rows.map { $0[folding.column].text }
    return NameFolding.fold(names, likeness: folding.likeness).map { fold in
      var line = line(fold.members.map { rows[$0] }, members: NameFolding.distinctions(fold.members.map { names[$0] }))
      line.cells[folding.column] = fold.name
      return line
    }
  }

  private func line(_ rows: [[Cell]], members: [String]) -> Line {
    var cells: [String] = []
    for (number, column) in columns.enumerated() {
      cells.append(Self.text(column.fold, rows.map { $0[number] }, members))
    }
    let key = order.flatMap { order in
      rows.compactMap { $0[order.column].magnitude }.min { order.isAscending ? $0 < $1 : $0 > $1 }
    }
    return Line(cells: cells, sortKey: key, rowCount: rows.count)
  }

  private static func text(_ fold: Fold, _ cells: [Cell], _ members: [String]) -> String {
    guard cells.count > 1 else { return cells[0].text }
    switch fold {
    case .shared: return cells.allSatisfy { $0 == cells[0] } ? cells[0].text : ""
    case .sum: return sum(cells).text
    case .lowest, .highest:
      let isLowest = if case .lowest = fold { true } else { false }
      let found = cells.indices.filter { cells[$0].magnitude != nil }
      guard
        let worst = found.min(by: {
          let (a, b) = (cells[$0].magnitude!, cells[$1].magnitude!)
          return isLowest ? a < b : a > b
        })
      else { return "" }
      let isShared = found.allSatisfy { cells[$0] == cells[worst] }
      if case .bar = cells[worst] { return cells[worst].text }
      return cells[worst].text + (isShared ? "" : " @\(members[worst])")
    }
  }

  private static func sum(_ cells: [Cell]) -> Cell {
    switch cells[0] {
    case .count: .count(cells.reduce(0) { $0 + Int($1.magnitude ?? 0) })
    case .bytes: .bytes(cells.reduce(0) { $0 + Int($1.magnitude ?? 0) })
    case .seconds: .seconds(cells.reduce(0) { $0 + ($1.magnitude ?? 0) })
    case .number(_, let places): .number(cells.reduce(0) { $0 + ($1.magnitude ?? 0) }, places: places)
    case .fraction(_, let places): .fraction(cells.reduce(0) { $0 + ($1.magnitude ?? 0) }, places: places)
    default: .absent
    }
  }
}
