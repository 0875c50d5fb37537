import BantamArchive
import Comparison
import Documents
import JSONText
import ModelSources
import Observation
import Tensors

/// How the weights of two sources differ, for people and programs.
public struct DiffReport {
  private let rows: [WeightDiff.Row]
  private let suspects: [Suspect]

  public init(_ diff: WeightDiff) {
    rows = diff.rows
    suspects = diff.suspects
  }

  /// Only what a shell pattern over whole names fits.
  /// - Throws: ``ArchiveError/noSuchTensor(path:name:nearest:)`` where it fits nothing.
  public init(_ diff: WeightDiff, matching pattern: String, path: String) throws {
    rows = diff.rows.filter { $0.name.matches(pattern: pattern) }
    guard !rows.isEmpty else {
      throw ArchiveError.noSuchTensor(
        path: path, name: pattern, nearest: nearestNames(to: pattern, in: diff.rows.map(\.name.text)))
    }
    let names = Set(rows.map(\.name.text))
    suspects = diff.suspects.filter { names.contains($0.name) }
  }

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

  public var document: Document {
    var document = Document(schema: "bantam.diff.2")
    SuspectList(suspects: suspects).add(to: &document)
    table.add(to: &document)
    document.note(summary)
    return document
  }

  private var table: DifferenceTable {
    var table = DifferenceTable(
      "tensors", "tensor",
      columns: [
        .init("name", nil), .init("status", nil), .init(nil, ""), .init("note", ""), .init("shape", nil),
        .init("encodings", nil), .init("relative_frobenius", nil), .init("changed", nil),
        .init("nonfinite_mismatches", nil), .init("worst_block_db", "worst block", fold: .lowest, rank: 1),
      ])
    for row in rows {
      let status = row.status.rawValue
      table.add(
        row.name.text, likeness: status + (row.note ?? ""), isEqual: row.status == .equal,
        [
          .text(row.name.text), .text(status),
          row.status == .changed || row.status == .equal ? .absent : .text(status),
          row.note.map { .text($0) } ?? .absent, .shape(row.shape), .text(row.encodings),
          row.values.map { .error($0.relativeFrobenius) } ?? .absent,
          row.values.map { .count($0.changedCount) } ?? .absent,
          row.values.map { .count($0.nonfiniteMismatchCount) } ?? .absent,
          row.worstBlock.map { .decibels($0.sqnrDecibels) } ?? .absent,
        ],
        index: row.values.map { .shape(Self.position($0.largestErrorIndex, row.shape)) } ?? .absent, row.values)
    }
    return table
  }

  private var summary: String {
    func count(_ status: WeightDiff.Status) -> Int { rows.count { $0.status == status } }
    var parts = WeightDiff.Status.allNames.compactMap { status -> String? in
      let number = count(status)
      return number > 0 || status == .equal || status == .changed ? "\(number) \(status.rawValue)" : nil
    }
    let overall = WeightDiff.sqnrDecibels(of: rows)
    if overall < .infinity { parts.append("overall SQNR \(Quantity.decibels(overall))") }
    return "\(rows.count) tensors: " + parts.joined(separator: ", ")
  }

  /// A row-major index as one position a dimension.
  private static func position(_ index: Int, _ shape: [Int]) -> [Int] {
    var rest = index
    var position: [Int] = []
    for size in shape.reversed() {
      position.append(size > 0 ? rest % size : 0)
      rest /= max(size, 1)
    }
    return position.reversed()
  }
}

extension WeightDiff.Status {
  static let allNames: [WeightDiff.Status] = [.equal, .changed, .different, .missing, .extra]
}
