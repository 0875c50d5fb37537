import Documents
import BantamArchive
import Encodings
import JSONText
import Tensors

/// What quantization cost, from the errors that a `.bantam` file records: by component, and tensors ranked worst first.
public struct QualityReport: Presentation {
  struct Row {
    let tensor: Inspection.Tensor
    let quality: ArchiveIndex.Quality
    let statistics: ArchiveIndex.Statistics?
    /// Energy of the source: what the noise is weighed against.
    var signal: Double {
      (statistics.map { $0.rms * $0.rms } ?? 0) * Double(tensor.info.elementCount)
    }
    var noise: Double { quality.sqnrDecibels.isFinite ? signal / power10(quality.sqnrDecibels / 10) : 0 }
  }

  private let inspection: Inspection
  /// Quantized tensors, worst signal-to-noise ratio first.
  let rows: [Row]

  /// - Throws: ``ReportError`` for a source that records no errors.
  public init(_ inspection: Inspection) throws(ReportError) {
    guard let archive = inspection.source.archive else { throw .recordsNoQuality(path: inspection.source.path) }
    self.inspection = inspection
    rows = inspection.tensors.compactMap { tensor in
      let stored = archive.index.tensors[tensor.number]
      return stored.quality.map { Row(tensor: tensor, quality: $0, statistics: stored.statistics) }
    }.sorted { ($0.quality.sqnrDecibels, $0.tensor.name) < ($1.quality.sqnrDecibels, $1.tensor.name) }
  }

  /// Tensors whose NaN or infinite values were replaced, and those that lost more than their encoding should cost.
  public var warnings: [String] {
    rows.compactMap { row in
      guard let count = row.statistics?.nonfiniteCount, count > 0 else { return nil }
      return "'\(row.tensor.name)' has \(count) NaN or infinite values: NaN became 0, infinity the largest of its group"
    }
      + rows.compactMap { row in
        guard let solver = KnownEncodings.all.first(where: { $0.name == row.tensor.encoding })?.solver,
          row.quality.sqnrDecibels < solver.lowestDecibels
        else { return nil }
        return
          "'\(row.tensor.name)' keeps only \(Self.decibelText(row.quality.sqnrDecibels)) in \(row.tensor.encoding): "
          + "look at its values, or leave it as it is"
      }
  }

  /// A line a component: bytes, bits to a weight, signal-to-noise ratio over all quantized tensors, worst tensor.
  public var componentTable: [String] {
    var table = TextTable([
      ("component", .left), ("bytes", .right), ("bits/w", .right), ("quantized", .right), ("SQNR", .right),
      ("worst", .right), ("worst tensor", .left),
    ])
    for component in inspection.components {
      let own = rows.filter { $0.tensor.component == component.name }
      let (signal, noise) = (own.reduce(0) { $0 + $1.signal }, own.reduce(0) { $0 + $1.noise })
      let bits =
        component.parameterCount > 0
        ? Quantity.fixed(8 * Double(component.storedByteCount) / Double(component.parameterCount), 2) : "-"
      table.add([
        component.name, Quantity.bytes(component.storedByteCount), bits, "\(own.count) of \(component.tensors.count)",
        own.isEmpty
          ? (isExact(component) ? "exact" : "cast")
          : Self.decibelText(noise > 0 ? 10 * log10(signal / noise) : .infinity),
        own.first.map { Self.decibelText($0.quality.sqnrDecibels) } ?? "", own.first.map { "\($0.tensor.name)" } ?? "",
      ])
    }
    return table.lines
  }

  /// Whether every tensor still has the source's own values.
  private func isExact(_ component: Inspection.Component) -> Bool {
    component.tensors.allSatisfy { inspection.source.archive?.isExact($0.number) ?? true }
  }

  /// All quantized tensors, worst first.
  public var lines: [String] {
    var table = TextTable([
      ("tensor", .left), ("encoding", .left), ("SQNR", .right), ("largest error", .right), ("1 - cosine", .right),
    ])
    for row in rows {
      table.add([
        "\(row.tensor.name)", row.tensor.encoding, Self.decibelText(row.quality.sqnrDecibels),
        Self.scientific(row.quality.maximumAbsoluteError), Self.scientific(1 - row.quality.cosine),
      ])
    }
    return componentTable + [""] + table.lines
  }

  public var json: JSONValue {
    .array(
      rows.map { row in
        .members([
          "name": .string(row.tensor.name.text), "encoding": .string(row.tensor.encoding),
          "method": .string(row.quality.method), "sqnr_db": .double(row.quality.sqnrDecibels),
          "max_abs": .double(row.quality.maximumAbsoluteError), "cosine": .double(row.quality.cosine),
        ])
      })
  }

  static func decibelText(_ value: Double) -> String {
    value.isFinite ? Quantity.fixed(value, 2) + " dB" : "exact"
  }

  /// `1.23e-04`.
  static func scientific(_ value: Double) -> String {
    guard value.isFinite, value != 0 else { return value == 0 ? "0" : "\(value)" }
    var exponent = Int(log10(abs(value)).rounded(.down))
    var mantissa = value / power10(Double(exponent))
    if abs(mantissa) >= 9.995 {
      mantissa /= 10
      exponent += 1
    }
    let digits = String(abs(exponent))
    return Quantity.fixed(mantissa, 2) + (exponent < 0 ? "e-" : "e+") + (digits.count == 1 ? "0" : "") + digits
  }
}

/// What a report cannot be made from.
public enum ReportError: ReportingError, Equatable {
  case recordsNoQuality(path: String)

  public var report: ErrorReport {
    switch self {
    case .recordsNoQuality(let path):
      ErrorReport(
        .badData, at: path, "records no errors of quantization", expected: "a .bantam file",
        hint: "A comparison with its original tells what a source has lost")
    }
  }
}
