extension Table {
  /// A line for people: rows that were folded into one, or one row.
  struct Line {
    var cells: [String]
    /// What the order looks at; nil for NaN, too.
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
      if x == y { return a.offset < b.offset }
      guard let x else { return true }
      guard let y else { return false }
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
    for column in columns.indices { cells.append(text(column, rows, members)) }
    let key = order.flatMap { order -> Double? in
      let values = rows.compactMap { $0[order.column].magnitude }
      guard !values.contains(where: \.isNaN) else { return nil }
      if case .sum = columns[order.column].fold { return values.reduce(0, +) }
      return values.min { order.isAscending ? $0 < $1 : $0 > $1 }
    }
    return Line(cells: cells, sortKey: key, rowCount: rows.count)
  }

  private func text(_ column: Int, _ rows: [[Cell]], _ members: [String]) -> String {
    let cells = rows.map { $0[column] }
    guard cells.count > 1 else { return cells[0].text }
    let fold = columns[column].fold
    switch fold {
    case .shared: return cells.allSatisfy { $0 == cells[0] } ? cells[0].text : ""
    case .sum: return Self.sum(cells).text
    case .count: return "\(cells.count)"
    case .ratio(let part, let whole):
      return Self.ratio(like: cells[0], of: rows.map { $0[part] }, to: rows.map { $0[whole] }).text
    case .lowest, .highest:
      let isLowest = if case .lowest = fold { true } else { false }
      let found = cells.indices.filter { cells[$0].magnitude != nil }
      guard
        let worst = found.min(by: {
          let (a, b) = (cells[$0].magnitude!, cells[$1].magnitude!)
          // Nothing is worse than what is no number.
          if a.isNaN || b.isNaN { return a.isNaN && !b.isNaN }
          return isLowest ? a < b : a > b
        })
      else { return "" }
      let isShared = found.allSatisfy { cells[$0] == cells[worst] }
      if case .bar = cells[worst] { return cells[worst].text }
      return cells[worst].text + (isShared ? "" : " @\(members[worst])")
    }
  }

  private static func ratio(like cell: Cell, of parts: [Cell], to wholes: [Cell]) -> Cell {
    func sum(_ cells: [Cell]) -> Double { cells.reduce(0) { $0 + ($1.magnitude ?? 0) } }
    let ratio = sum(parts) / sum(wholes)
    return switch cell {
    case .number(_, let places): .number(ratio, places: places)
    case .fraction(_, let places): .fraction(ratio, places: places)
    default: .absent
    }
  }

  private static func sum(_ cells: [Cell]) -> Cell {
    switch cells[0] {
    case .count: .count(cells.reduce(0) { $0 + Int($1.magnitude ?? 0) })
    case .bytes: .bytes(cells.reduce(0) { $0 + Int($1.magnitude ?? 0) })
    case .parameters: .parameters(cells.reduce(0) { $0 + Int($1.magnitude ?? 0) })
    case .seconds: .seconds(cells.reduce(0) { $0 + ($1.magnitude ?? 0) })
    case .number(_, let places): .number(cells.reduce(0) { $0 + ($1.magnitude ?? 0) }, places: places)
    case .fraction(_, let places): .fraction(cells.reduce(0) { $0 + ($1.magnitude ?? 0) }, places: places)
    default: .absent
    }
  }
}
