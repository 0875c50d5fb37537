import Documents
import Foundation
import JSONText
import NetworkRuntime
import Observation
import Tensors

/// How two runs differ, for people and programs.
public struct RunDiffReport: Presentation {
  private let diff: RunDiff

  public init(_ diff: RunDiff) { self.diff = diff }

  // MARK: Text

  public var lines: [String] {
    var lines = outputs
    if !diff.steps.isEmpty { lines += [""] + stepTable }
    lines += [""] + operationTable
    let changed = diff.rows.count { $0.values.changedCount > 0 }
    lines += [
      "",
      "\(diff.rows.count) operations: \(diff.rows.count - changed) equal, \(changed) changed"
        + (diff.isLocal ? "; each read what the first model's did" : ""),
    ]
    if let suspect = diff.suspect {
      lines += ["", "stands out: \(suspect.phase)/\(suspect.path), \(decibels(suspect.values.sqnrDecibels))"]
    }
    return lines
  }

  private var outputs: [String] {
    var lines = ["compute   " + diff.modes.map(\.rawValue).joined(separator: " against ")]
    if diff.roundedRowCount > 0 {
      lines.append(
        "8 bits    \(diff.outlierRowCount) of \(diff.roundedRowCount) rows of activations have a value over 64 times their rms"
      )
    }
    if diff.logits.count > 0 {
      lines.append(
        "logits    KL \(QualityReport.scientific(diff.logits.meanKL)) nats on average, "
          + "\(QualityReport.scientific(diff.logits.largestKL)) at most; "
          + "same first choice at \(Quantity.fixed(100 * diff.logits.topAgreement, 1)) % of \(diff.logits.count) positions"
      )
    }
    if !diff.answers.isEmpty {
      lines.append(
        "answers   " + (diff.firstDifferentToken.map { "part at token \($0 + 1)" } ?? "are the same"))
    }
    for sampler in diff.outline.samplers {
      guard let last = diff.steps.last(where: { $0.phase == sampler.phase }) else { continue }
      lines.append(
        sampler.title.padding(toLength: 10, withPad: " ", startingAt: 0)
          + "\(decibels(last.values.sqnrDecibels)) after \(last.step + 1) steps"
          + (sampler.note.isEmpty ? "" : " (\(sampler.note))"))
    }
    if let psnr = diff.picturePSNR { lines.append("picture   PSNR \(decibels(psnr))") }
    return lines
  }

  private var stepTable: [String] {
    var table = TextTable([("sampler", .left), ("step", .right), ("SQNR", .right), ("largest error", .right)])
    for step in diff.steps {
      table.add([
        step.phase, "\(step.step + 1)", decibels(step.values.sqnrDecibels),
        QualityReport.scientific(step.values.largestError),
      ])
    }
    return table.lines
  }

  /// Operations of equal layers in one line, worst first.
  private var operationTable: [String] {
    var table = TextTable([
      ("operation", .left), ("count", .right), ("SQNR", .right), ("1 - cosine", .right), ("largest error", .right),
      ("", .left),
    ])
    let lines = NameFolding.fold(diff.rows.map { $0.phase + "/" + $0.path }) {
      diff.rows[$0].values.changedCount == 0 ? "equal" : "changed"
    }
    let changed = lines.map { line in (line, line.members.map { diff.rows[$0] }) }
      .filter { $0.1[0].values.changedCount > 0 }
      .map { (line: $0.0, rows: $0.1, worst: $0.1.map(\.values.sqnrDecibels).min()!) }
      .sorted { $0.worst < $1.worst }
    for entry in changed {
      let best = entry.rows.map(\.values.sqnrDecibels).max()!
      let strange = entry.rows.compactMap(\.firstNonFinite).first
      table.add([
        entry.line.name, entry.rows.count == 1 ? "" : "\(entry.rows.count)",
        entry.rows.count == 1
          ? decibels(entry.worst) : "\(Quantity.fixed(entry.worst, 2))..\(Quantity.fixed(best, 2)) dB",
        QualityReport.scientific(1 - entry.rows.map(\.values.cosine).min()!),
        QualityReport.scientific(entry.rows.map(\.values.largestError).max()!),
        strange.map { "not finite from value \($0)" }
          ?? String(repeating: "#", count: Int(max(0, min(20, (60 - entry.worst) / 3)))),
      ])
    }
    return changed.isEmpty ? ["no operation differs"] : table.lines
  }

  private func decibels(_ value: Double) -> String {
    value == .infinity ? "equal" : Quantity.fixed(value, 2) + " dB"
  }

  // MARK: Thresholds

  /// What misses a threshold, in words.
  public func failures(maxKL: Double?, minSQNR: Double?, minPSNR: Double?) -> [String] {
    var failures: [String] = []
    if let maxKL, !(diff.logits.meanKL <= maxKL) {
      failures.append("KL is \(QualityReport.scientific(diff.logits.meanKL)), more than \(maxKL)")
    }
    if let minSQNR, let worst = diff.rows.min(by: { $0.values.sqnrDecibels < $1.values.sqnrDecibels }),
      !(worst.values.sqnrDecibels >= minSQNR)
    {
      failures.append("\(worst.path) has \(decibels(worst.values.sqnrDecibels)), less than \(minSQNR) dB")
    }
    if let minPSNR, let psnr = diff.picturePSNR, !(psnr >= minPSNR) {
      failures.append("the pictures have \(decibels(psnr)), less than \(minPSNR) dB")
    }
    if let row = diff.rows.first(where: { $0.firstNonFinite != nil }) {
      failures.append("\(row.path) gives values that are not finite")
    }
    return failures
  }

  // MARK: JSON

  public var json: JSONValue {
    .members([
      "schema": "bantam.modeldiff.1", "local": .bool(diff.isLocal),
      "rounded_rows": .int(diff.roundedRowCount), "outlier_rows": .int(diff.outlierRowCount),
      "compute": .array(diff.modes.map { .string($0.rawValue) }),
      "logits": diff.logits.count == 0
        ? .null
        : .members([
          "positions": .int(diff.logits.count), "mean_kl": number(diff.logits.meanKL),
          "max_kl": number(diff.logits.largestKL), "top1_agreement": number(diff.logits.topAgreement),
        ]),
      "answers": .array(diff.answers.map { .string($0) }),
      "first_different_token": diff.firstDifferentToken.map { .int($0) } ?? .null,
      "picture_psnr_db": number(diff.picturePSNR),
      "suspect": diff.suspect.map { .string($0.phase + "/" + $0.path) } ?? .null,
      "steps": .array(
        diff.steps.map {
          .members([
            "phase": .string($0.phase), "step": .int($0.step + 1), "sqnr_db": number($0.values.sqnrDecibels),
            "max_abs": number($0.values.largestError),
          ])
        }),
      "operations": .array(
        diff.rows.map {
          .members([
            "phase": .string($0.phase), "path": .string($0.path), "kind": .string($0.kind.rawValue),
            "count": .int($0.values.elementCount), "changed": .int($0.values.changedCount),
            "sqnr_db": number($0.values.sqnrDecibels), "cosine": number($0.values.cosine),
            "max_abs": number($0.values.largestError), "max_abs_index": .int($0.values.largestErrorIndex),
            "first_nonfinite": $0.firstNonFinite.map { .int($0) } ?? .null,
          ])
        }),
    ])
  }

  /// JSON has no infinity: null stands for "no difference", -1000 dB for a difference from nothing.
  private func number(_ value: Double?) -> JSONValue {
    if value == -.infinity { return .double(-1000) }
    guard let value, value.isFinite else { return .null }
    return .double(value)
  }
}
