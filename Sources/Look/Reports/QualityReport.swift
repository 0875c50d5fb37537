import BantamArchive
import Documents
import Encodings
import Foundation
import Kernels
import Tensors

/// What quantization cost, from the errors that a `.bantam` file records: by component, and tensors ranked worst first.
public struct QualityReport: Sendable {
  struct Row: Sendable {
    let tensor: Inspection.Tensor
    let quality: ArchiveIndex.Quality
    let statistics: ArchiveIndex.Statistics?
    /// Energy of the source: what the noise is weighed against.
    var signal: Double {
      (statistics.map { $0.rms * $0.rms } ?? 0) * Double(tensor.info.elementCount)
    }
    var noise: Double { quality.sqnrDecibels.isFinite ? signal / pow(10, quality.sqnrDecibels / 10) : 0 }
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
          "'\(row.tensor.name)' keeps only \(Quantity.decibels(row.quality.sqnrDecibels)) in \(row.tensor.encoding): "
          + "look at its values, or leave it as it is"
      }
  }

  /// A row a component: what it takes, the signal-to-noise ratio over all its quantized tensors, and the worst of them.
  /// - Parameter key: its name in JSON.
  public func componentTable(_ key: String) -> Table {
    var table = Table(
      key,
      [
        .init("name", "component"), .init("bytes", "bytes"), .init("bits_per_weight", "bits/w"),
        .init("tensors", "tensors", rank: 2), .init("quantized", "quantized", rank: 1), .init("values", "values"),
        .init("sqnr_db", "SQNR"), .init("worst_sqnr_db", "worst", rank: 3),
        .init("worst_tensor", "worst tensor", rank: 4),
      ])
    for component in inspection.components {
      let own = rows.filter { $0.tensor.component == component.name }
      let (signal, noise) = (own.reduce(0) { $0 + $1.signal }, own.reduce(0) { $0 + $1.noise })
      table.add([
        .name(component.name), .bytes(component.storedByteCount),
        .bitsPerWeight(bytes: component.storedByteCount, parameters: component.parameterCount),
        .count(component.tensors.count), .count(own.count),
        .text(own.isEmpty ? (isExact(component) ? "exact" : "cast") : "quantized"),
        own.isEmpty ? .absent : .decibels(decibels(signal, over: noise)),
        own.first.map { .decibels($0.quality.sqnrDecibels) } ?? .absent,
        own.first.map { .name($0.tensor.name.text) } ?? .absent,
      ])
    }
    return table
  }

  /// Whether every tensor still has the source's own values.
  private func isExact(_ component: Inspection.Component) -> Bool {
    component.tensors.allSatisfy { inspection.source.archive?.isExact($0.number) ?? true }
  }

  /// Components, then all quantized tensors, worst first.
  public var document: Document {
    var document = Document(schema: "bantam.quality.1")
    document.data("path", .string(inspection.source.path))
    document.add(componentTable("components"))
    let rows = rows
    var table = Table(
      "tensors",
      [
        .init("name", "tensor"), .init(nil, "count", fold: .count, rank: 3), .init("encoding", "encoding", rank: 2),
        .init("method", nil), .init("sqnr_db", "SQNR", fold: .lowest),
        .init("max_abs", "largest error", fold: .highest, rank: 1), .init("cosine", nil),
        .init(nil, "1 - cosine", fold: .highest, rank: 4),
      ], folding: .init(by: 0) { rows[$0].tensor.encoding }, order: .init(4, ascending: true), usualCount: 30)
    for row in rows {
      table.add([
        .name(row.tensor.name.text), .absent, .text(row.tensor.encoding), .text(row.quality.method),
        .decibels(row.quality.sqnrDecibels), .error(row.quality.maximumAbsoluteError),
        .number(row.quality.cosine, places: 6), .error(1 - row.quality.cosine),
      ])
    }
    document.add(table)
    return document
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
