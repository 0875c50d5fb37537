import Documents
import InputStatistics
import JSONText

/// What statistics have seen: a row a matrix.
public struct StatisticsReport {
  private let file: StatisticsFile
  private let unseen: [String]

  /// - Parameter expected: weights that might have been seen.
  public init(_ file: StatisticsFile, expected: [String] = []) {
    self.file = file
    unseen = expected.filter { !file.hasSeen($0) }
  }

  public var document: Document {
    var document = Document(schema: "bantam.statistics-report.1")
    document.fact("file", "file", .text(file.path))
    document.data("given", file.settings.given)
    for (name, count) in file.settings.counts.sorted(by: { $0.key < $1.key }) {
      document.fact(nil, name + "s", .count(count))
    }
    document.data(
      "counts", .object(file.settings.counts.sorted { $0.key < $1.key }.map { .init($0.key, .int($0.value)) }))
    document.fact("matrices", "matrices seen", .count(file.entries.count { $0.rowCount > 0 }))
    document.fact("thin", "fewer than two rows a column", .count(file.entries.count { $0.isThin }))
    document.fact("unseen", "never seen", .count(unseen.count))
    var table = Table(
      "tensors",
      [
        .init("name", "tensor"), .init("columns", "columns"), .init("block", "block", rank: 2),
        .init("rows", "rows", fold: .lowest),
        .init("rows_per_column", "a column", fold: .lowest), .init("coverage", "coverage", rank: 1),
      ], order: .init(4, ascending: true), usualCount: 30)
    for entry in file.entries {
      table.add([
        .name(entry.name), .count(entry.blocks.columns), .count(entry.blocks.blockColumns), .count(entry.rowCount),
        .number(Double(entry.rowCount) / Double(entry.blocks.columns), places: 1),
        .text(entry.isThin ? "thin" : "good"),
      ])
    }
    for name in unseen {
      table.add([.name(name), .absent, .absent, .count(0), .number(0, places: 1), .text("never seen")])
    }
    document.add(table)
    return document
  }
}
