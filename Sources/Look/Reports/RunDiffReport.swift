import BantamArchive
import Documents
import JSONText
import ModelSources
import NetworkRuntime
import Observation
import Tensors

/// How two runs differ, for people and programs.
public struct RunDiffReport {
  private let diff: RunDiff
  private let suspects: [Suspect]
  private let rows: [RunDiff.Row]

  /// - Parameter weights: what a comparison of both models' weights found; nil where there was none.
  public init(_ diff: RunDiff, weights: WeightEvidence? = nil) {
    self.diff = diff
    suspects = diff.suspects(weights)
    rows = diff.rows
  }

  /// Of the operations, only those whose path a shell pattern fits, with or without its phase.
  /// - Throws: ``ArchiveError/noSuchTensor(path:name:nearest:)`` where it fits nothing.
  public init(_ diff: RunDiff, weights: WeightEvidence? = nil, matching pattern: String, path: String) throws {
    self.diff = diff
    rows = diff.rows.filter { row in
      [row.path, row.phase + "/" + row.path].contains { TensorName($0).matches(pattern: pattern) }
    }
    guard !rows.isEmpty else {
      throw ArchiveError.noSuchTensor(
        path: path, name: pattern, nearest: nearestNames(to: pattern, in: diff.rows.map(\.path)))
    }
    let paths = Set(rows.map(\.path))
    suspects = diff.suspects(weights).filter { paths.contains($0.name) }
  }

  // MARK: The document

  public var document: Document {
    var document = Document(schema: "bantam.rundiff.1")
    SuspectList(suspects: suspects).add(to: &document)
    document.data("local", .bool(diff.isLocal))
    document.data("compute", .array(diff.modes.map { .string($0.rawValue) }))
    document.note("compute: " + diff.modes.map(\.rawValue).joined(separator: " against "))
    addRounding(to: &document)
    addOutputs(to: &document)
    if !diff.steps.isEmpty { document.add(samplers) }
    document.data("steps", steps)
    operations.add(to: &document)
    let changed = rows.count { $0.values.changedCount > 0 }
    document.note(
      "\(rows.count) operations: \(rows.count - changed) equal, \(changed) changed"
        + (diff.isLocal ? "; each read what the first model's did" : ""))
    return document
  }

  private func addRounding(to document: inout Document) {
    document.data("rounded_rows", .int(diff.roundedRowCount))
    document.data("outlier_rows", .int(diff.outlierRowCount))
    guard diff.roundedRowCount > 0 else { return }
    document.note(
      "8 bits: \(diff.outlierRowCount) of \(diff.roundedRowCount) rows of activations have a value over "
        + "\(ObservedValues.outlierRatio) times their rms"
    )
  }

  /// What comes out in the end.
  private func addOutputs(to document: inout Document) {
    let logits = diff.logits
    document.data(
      "logits",
      logits.count == 0
        ? .null
        : .members([
          "positions": .int(logits.count), "mean_kl": .number(logits.meanKL), "max_kl": .number(logits.largestKL),
          "top1_agreement": .number(logits.topAgreement),
        ]))
    if logits.count > 0 {
      document.note(
        "logits: KL \(Quantity.scientific(logits.meanKL)) nats on average, \(Quantity.scientific(logits.largestKL)) at most; "
          + "same first choice at \(Quantity.fixed(100 * logits.topAgreement, 1)) % of \(logits.count) positions")
    }
    document.data("answers", .array(diff.answers.map { .string($0) }))
    document.data("first_different_token", diff.firstDifferentToken.map { .int($0) } ?? .null)
    if !diff.answers.isEmpty {
      document.note("answers: " + (diff.firstDifferentToken.map { "part at token \($0 + 1)" } ?? "the same"))
    }
    document.fact("picture_psnr_db", "picture PSNR", diff.picturePSNR.map { .decibels($0) } ?? .absent)
  }

  /// Where each sampler's states begin to differ.
  private var samplers: Table {
    var table = Table(
      "samplers",
      [
        .init("phase", "sampler"), .init("state", "state", rank: 2), .init("steps", "steps", rank: 1),
        .init("first_changed_step", "differs at"),
        .init("first_step_below_40_db", "< \(Quantity.fixed(RunDiff.partingDecibels, 0)) dB at"),
        .init("sqnr_db", "in the end"),
      ])
    for parting in diff.partings {
      let sampler = parting.sampler
      table.add([
        .text(sampler.phase), .text(sampler.title + (sampler.note.isEmpty ? "" : ", \(sampler.note)")),
        .count(parting.stepCount), parting.differs.map { .count($0 + 1) } ?? .absent,
        parting.parts.map { .count($0 + 1) } ?? .absent, .decibels(parting.last.sqnrDecibels),
      ])
    }
    return table
  }

  private var steps: JSONValue {
    .array(
      diff.steps.map {
        .members([
          "phase": .string($0.phase), "step": .int($0.step + 1), "sqnr_db": .number($0.values.sqnrDecibels),
          "max_abs": .number($0.values.largestError),
        ])
      })
  }

  private var operations: DifferenceTable {
    var table = DifferenceTable(
      "operations", "operation",
      columns: [
        .init("phase", nil), .init("path", nil), .init("kind", nil), .init("count", nil), .init("changed", nil),
        .init("first_nonfinite", nil),
      ])
    for row in rows {
      let isEqual = row.values.changedCount == 0
      table.add(
        row.phase + "/" + row.path, likeness: isEqual ? DifferenceTable.equal : "changed", isEqual: isEqual,
        [
          .text(row.phase), .text(row.path), .text(row.kind.rawValue), .count(row.values.elementCount),
          .count(row.values.changedCount), row.firstNonFinite.map { .count($0) } ?? .absent,
        ], index: .count(row.values.largestErrorIndex), row.values)
    }
    return table
  }

  // MARK: Thresholds

  /// What misses a threshold, in words.
  public func failures(maxKL: Double?, minSQNR: Double?, minPSNR: Double?) -> [String] {
    var failures: [String] = []
    if let maxKL, !(diff.logits.meanKL <= maxKL) {
      failures.append("KL is \(Quantity.scientific(diff.logits.meanKL)), more than \(maxKL)")
    }
    if let minSQNR, let worst = rows.min(by: { $0.values.sqnrDecibels < $1.values.sqnrDecibels }),
      !(worst.values.sqnrDecibels >= minSQNR)
    {
      failures.append("\(worst.path) has \(Quantity.decibels(worst.values.sqnrDecibels)), less than \(minSQNR) dB")
    }
    if let minPSNR, let psnr = diff.picturePSNR, !(psnr >= minPSNR) {
      failures.append("the pictures have \(Quantity.decibels(psnr)), less than \(minPSNR) dB")
    }
    if let row = rows.first(where: { $0.firstNonFinite != nil }) {
      failures.append("\(row.path) gives values that are not finite")
    }
    return failures
  }
}
