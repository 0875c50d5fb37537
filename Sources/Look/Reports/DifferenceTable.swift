import Documents
import Kernels

/// A table of what was compared, in the manner of `git diff --stat`: folded by layer, the worst first and named in every fold; what is
/// equal comes last, and only where all is asked for.
struct DifferenceTable {
  private var table: Table
  private var names: [String] = []
  private var likenesses: [String] = []
  private var equalCount = 0

  /// - Parameter columns: what the rows begin with, for programs; the name for people stands before them.
  init(_ key: String, _ title: String, columns: [Table.Column]) {
    table = Table(
      key,
      [.init(nil, title), .init(nil, "count", fold: .count)] + columns + [
        .init("sqnr_db", "SQNR", fold: .lowest), .init("cosine", nil),
        .init(nil, "1 - cosine", fold: .highest, rank: 2),
        .init("max_abs", "largest error", fold: .highest), .init("max_abs_index", nil),
        .init(nil, "not finite", fold: .sum), .init(nil, "", fold: .highest, rank: 3),
      ])
  }

  /// - Parameters:
  ///   - likeness: only rows with the same text are folded.
  ///   - index: where the largest error is.
  ///   - values: nil where the two could not be compared.
  mutating func add(
    _ name: String, likeness: String, isEqual: Bool, _ cells: [Cell], index: Cell, _ values: ValueDifference?
  ) {
    names.append(name)
    likenesses.append(likeness)
    equalCount += isEqual ? 1 : 0
    let strange = values?.nonfiniteMismatchCount ?? 0
    table.add(
      [.name(name), .absent] + cells + [
        values.map { .decibels($0.sqnrDecibels) } ?? (isEqual ? .decibels(.infinity) : .absent),
        values.map { .number($0.cosine, places: 6) } ?? .absent,
        values.map { .error(1 - $0.cosine) } ?? .absent, values.map { .error($0.largestError) } ?? .absent, index,
        strange > 0 ? .count(strange) : .absent,
        // The noise: full at 0 dB, empty at 60.
        values.map { .bar((60 - $0.sqnrDecibels) / 60) } ?? .absent,
      ])
  }

  /// Adds the table; only for programs where all is equal.
  func add(to document: inout Document) {
    guard equalCount < names.count else { return document.data(table.key!, table.json) }
    var table = table
    let likenesses = likenesses
    table.folding = .init(by: 0) { likenesses[$0] }
    table.order = .init(table.columns.firstIndex { $0.key == "sqnr_db" }!, ascending: true)
    table.usualCount = NameFolding.fold(names) { likenesses[$0] }.count {
      likenesses[$0.members[0]] != Self.equal
    }
    document.add(table)
  }

  /// The likeness of what is equal.
  static let equal = "equal"
}
