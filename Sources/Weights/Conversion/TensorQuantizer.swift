import BantamArchive
import Encodings
import InputStatistics
import Kernels
import ModelSources
import Tensors

/// What data did to a tensor that was quantized.
public struct TensorOutcome: Sendable, Equatable {
  public let name: String
  /// How far data guided it.
  public let depth: StatisticsFile.Depth
  /// Whether data guided it less far than there is data for: its moments could not be factored, or there are none.
  public let fellShort: Bool
  /// What was added to the diagonal of its moments, as a part of their mean, where the usual hundredth did not do.
  public let raisedDamping: Double?
  public let weightDecibels: Double
  /// Of the outputs, over the inputs that the statistics have seen; nil where they have seen none.
  public let outputDecibels: Double?
}

/// Quantizes one tensor of a plan.
struct TensorQuantizer {
  let plan: ConversionPlan
  let item: Int
  let encoding: any Encoding
  let shape: EncodedShape
  private let solver: any Solver

  /// - Precondition: the plan gives the tensor an encoding.
  init(plan: ConversionPlan, item: Int, encoding: any Encoding) {
    guard let shape = encoding.shape(forWriting: plan.archive.index.tensors[item].info), let solver = encoding.solver
    else { preconditionFailure("the plan gives a tensor only what can be written") }
    self.plan = plan
    self.item = item
    self.encoding = encoding
    self.shape = shape
    self.solver = solver
  }

  private var name: String { plan.archive.index.tensors[item].info.name.text }

  /// Encodes the tensor, or takes what was kept of it, into the file that is written.
  func run(_ writer: ArchiveWriter, _ stream: StreamBuffers) throws -> TensorOutcome {
    let tensor = plan.archive.index.tensors[item]
    let planes = tensor.planes.indices.map { writer.sink(tensor: item, plane: $0) }
    let sink: ([UnsafeRawBufferPointer]) throws -> Void = {
      for (sink, bytes) in zip(planes, $0) { try sink.append(bytes) }
    }
    let record: SolvedRecord
    if let solved = plan.solved, solved.has(name) || plan.statistics != nil {
      if let earlier = solved.find(name, encoding) {
        try check(earlier, in: solved, stream)
        record = earlier.record
        try copy(earlier, to: sink)
      } else if plan.statistics == nil {
        throw FileError.damaged(path: solved.path, problem: "no longer holds '\(name)' as it was solved")
      } else {
        let made = try keep(plan.statistics, in: solved, stream)
        record = made.record
        try copy(made, to: sink)
      }
    } else {
      record = try solve(plan.statistics, stream, to: sink)
    }
    let quality = ArchiveIndex.Quality(
      method: tensor.quality?.method ?? solver.method, sqnrDecibels: record.errors.sqnrDecibels,
      maximumAbsoluteError: record.errors.largestError, cosine: record.errors.cosine)
    writer.record(
      tensor: item, planes: planes, sourceDigest: plan.source.archive == nil ? record.digest : nil,
      statistics: record.values, quality: quality)
    return TensorOutcome(
      name: name, depth: record.depth,
      fellShort: (plan.statistics != nil || plan.solved != nil) && record.depth != .feedback && !plan.isTable(item),
      raisedDamping: record.raisedDamping,
      weightDecibels: record.errors.sqnrDecibels, outputDecibels: record.outputs?.sqnrDecibels)
  }

  /// Encodes the tensor, guided by sums, into a folder of solved tensors.
  func keep(_ sums: (any InputSums)?, in solved: SolvedTensors, _ stream: StreamBuffers) throws -> SolvedTensor {
    try solved.keep(name, encoding, shape) { try solve(sums, stream, to: $0) }
  }

  private func solve(
    _ sums: (any InputSums)?, _ stream: StreamBuffers, to sink: ([UnsafeRawBufferPointer]) throws -> Void
  ) throws -> SolvedRecord {
    let found = try sums?.guide(name, shape)
    let meter = try sums.flatMap { try OutputMeter($0, name, shape) }
    let encoder = TensorEncoder(
      plan.source, plan.sourceNumbers[item], encoding, guide: found?.guide, meter: meter,
      resources: plan.resources)
    let result = try encoder.run(stream, sink: sink)
    return SolvedRecord(
      name: name, encoding: encoding.name, digest: result.digest, depth: found?.depth ?? .none,
      raisedDamping: found?.raised, values: .init(result.statistics),
      errors: result.errors, outputs: meter == nil ? nil : result.outputs)
  }

  /// Reads the source once more: whether it is what was solved.
  private func check(_ earlier: SolvedTensor, in solved: SolvedTensors, _ stream: StreamBuffers) throws {
    let hash = SHA256()
    try plan.source.stream(
      plan.sourceNumbers[item], through: stream.source, cancellation: plan.resources.cancellation
    ) { bytes in
      hash.update(bytes)
      plan.resources.progress(bytes.count)
    }
    guard hash.finish() == earlier.record.digest else {
      throw ConversionError.sourceChanged(path: plan.source.path, name: name, folder: solved.path)
    }
  }

  private func copy(_ solved: SolvedTensor, to sink: ([UnsafeRawBufferPointer]) throws -> Void) throws {
    guard let planes = solved.planes(shape, encoding) else {
      throw FileError.damaged(path: solved.file.path, problem: "is shorter than its tensor")
    }
    try sink(planes)
    guard !solved.file.isTorn else {
      throw FileError.damaged(path: solved.file.path, problem: "was cut while it was read")
    }
  }
}
