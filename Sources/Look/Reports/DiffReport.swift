import Documents
import Comparison
import JSONText
import Tensors

/// A comparison for people and programs: folded lines in the manner of `git diff --stat`, worst first.
public struct DiffReport: Presentation {
  private let rows: [WeightDiff.Row]

  public init(_ diff: WeightDiff) { rows = diff.rows }

  /// Tensors whose signal-to-noise ratio is below a threshold, or that have none because they differ otherwise.
  public func failures(under decibels: Double) -> [WeightDiff.Row] {
    rows.filter { row in
      switch row.status {
      case .equal, .extra: false
      case .missing, .different: true
      case .changed: row.values!.sqnrDecibels < decibels || row.values!.nonfiniteMismatchCount > 0
      }
    }
  }

  private struct Line {
    let name: String
    let rows: [WeightDiff.Row]
    var worst: Double { rows.compactMap { $0.values?.sqnrDecibels }.min() ?? .infinity }
    var best: Double { rows.compactMap { $0.values?.sqnrDecibels }.max() ?? .infinity }
    var rank: Double { rows[0].status == .changed ? worst : -.infinity }
  }

  public var lines: [String] {
    let listed = rows.filter { $0.status != .equal }
    let folded = NameFolding.fold(listed.map(\.name.text)) { listed[$0].status.rawValue + (listed[$0].note ?? "") }
    let changes = folded.map { line in Line(name: line.name, rows: line.members.map { listed[$0] }) }
      .sorted { ($0.rank, $0.name) < ($1.rank, $1.name) }
    var table = TextTable([
      ("tensor", .left), ("count", .right), ("SQNR", .right), ("1 - cosine", .right), ("largest error", .right),
      ("", .left),
    ])
    for change in changes { table.add(cells(change)) }
    return (changes.isEmpty ? [] : table.lines + [""]) + [summary]
  }

  private func cells(_ line: Line) -> [String] {
    let count = line.rows.count == 1 ? "" : "\(line.rows.count)"
    guard line.rows[0].status == .changed else {
      return [line.name, count, line.rows[0].status.rawValue, "", "", line.rows[0].note ?? ""]
    }
    let range =
      line.rows.count == 1
      ? Quantity.fixed(line.worst, 2) : "\(Quantity.fixed(line.worst, 2))..\(Quantity.fixed(line.best, 2))"
    let cosine = line.rows.map { $0.values!.cosine }.min()!
    let largest = line.rows.map { $0.values!.largestError }.max()!
    // The bar is the noise: full at 0 dB, empty at 60.
    let bar = String(repeating: "#", count: Int(max(0, min(20, (60 - line.worst) / 3))))
    let strange = line.rows.reduce(0) { $0 + $1.values!.nonfiniteMismatchCount }
    return [
      line.name, count, range + " dB", QualityReport.scientific(1 - cosine),
      QualityReport.scientific(largest),
      strange > 0 ? "\(strange) non-finite" : bar,
    ]
  }

  private var summary: String {
    func count(_ status: WeightDiff.Status) -> Int { rows.count { $0.status == status } }
    var parts = WeightDiff.Status.allNames.compactMap { status -> String? in
      let number = count(status)
      return number > 0 || status == .equal || status == .changed ? "\(number) \(status.rawValue)" : nil
    }
    let signal = rows.reduce(0) { $0 + ($1.values?.signalSquare ?? 0) }
    let error = rows.reduce(0) { $0 + ($1.values?.errorSquare ?? 0) }
    if error > 0 { parts.append("overall SQNR \(Quantity.fixed(10 * log10(signal / error), 2)) dB") }
    return "\(rows.count) tensors: " + parts.joined(separator: ", ")
  }

  public var json: JSONValue {
    .members([
      "schema": "bantam.diff.1",
      "tensors": .array(
        rows.map { row in
          .members([
            "name": .string(row.name.text), "status": .string(row.status.rawValue),
            "shape": .array(row.shape.map { .int($0) }), "note": row.note.map { .string($0) } ?? .null,
            "sqnr_db": number(row.values?.sqnrDecibels), "cosine": number(row.values?.cosine),
            "max_abs": number(row.values?.largestError),
            "max_abs_index": row.values.map { position($0.largestErrorIndex, row.shape) } ?? .null,
            "relative_frobenius": number(row.values?.relativeFrobenius),
            "changed": row.values.map { .int($0.changedCount) } ?? .null,
            "nonfinite_mismatches": row.values.map { .int($0.nonfiniteMismatchCount) } ?? .null,
          ])
        }),
    ])
  }

  /// JSON has no infinity: null stands for "no noise".
  private func number(_ value: Double?) -> JSONValue {
    guard let value, value.isFinite else { return .null }
    return .double(value)
  }

  /// A row-major index as one position a dimension.
  private func position(_ index: Int, _ shape: [Int]) -> JSONValue {
    var rest = index
    var position: [JSONValue] = []
    for size in shape.reversed() {
      position.append(.int(size > 0 ? rest % size : 0))
      rest /= max(size, 1)
    }
    return .array(position.reversed())
  }
}

extension WeightDiff.Status {
  static let allNames: [WeightDiff.Status] = [.equal, .changed, .different, .missing, .extra]
}
