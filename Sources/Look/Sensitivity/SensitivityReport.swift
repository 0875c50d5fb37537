import Documents
import Foundation
import JSONText
import Kernels
import Planning

/// A table of sensitivities for people: the tensors whose errors do most, and how well predictions were met.
public struct SensitivityReport {
  private let table: SensitivityTable
  private let path: String

  public init(_ table: SensitivityTable, _ path: String) {
    self.table = table
    self.path = path
  }

  public var document: Document {
    var document = Document(schema: "bantam.sensitivity-report.1")
    document.fact("file", "file", .text(path))
    document.fact("probe", "probe", .text(table.probe))
    document.data("given", table.given)
    let measures = Measure.allCases.filter { measure in table.rows.contains { $0.effects[measure] != nil } }
    for measure in measures {
      let ratios = table.checks.compactMap { check -> Double? in
        guard let predicted = check.predicted[measure], let measured = check.measured[measure], predicted > 0,
          measured > 0
        else { return nil }
        return measured / predicted
      }.sorted()
      guard !ratios.isEmpty else { continue }
      let near = ratios.count { $0 < 1.5 && $0 > 1 / 1.5 }
      document.fact(
        "checked_\(measure.rawValue)", "\(measure.rawValue) as predicted",
        .text(
          "\(near) of \(ratios.count) within a factor of 1.5, median ratio \(String(format: "%.2f", ratios[ratios.count / 2]))"
        ))
    }
    var rows = Table(
      "rows",
      [.init("name", "tensors"), .init("members", "count", rank: 2)]
        + measures.map { .init($0.rawValue, Self.title($0), fold: .highest) },
      order: .init(2, ascending: false), usualCount: 20)
    let totals = measures.map { measure in max(table.rows.reduce(0) { $0 + ($1.effects[measure] ?? 0) }, 1e-300) }
    // Shares of all, so that measures without a common unit can be looked at together.
    let sorted = table.rows.sorted { a, b in
      func share(_ row: SensitivityTable.Row) -> Double {
        zip(measures, totals).reduce(0) { $0 + (row.effects[$1.0] ?? 0) / $1.1 }
      }
      return (share(a), b.name) > (share(b), a.name)
    }
    for row in sorted {
      rows.add(
        [.name(row.name), .count(row.members.count)] + measures.map { .error(row.effects[$0] ?? 0) })
    }
    document.add(rows)
    return document
  }

  private static func title(_ measure: Measure) -> String {
    switch measure {
    case .divergence: "KL"
    case .features: "features"
    case .latents: "latents"
    case .picture: "picture"
    case .weights: "weights"
    }
  }
}
