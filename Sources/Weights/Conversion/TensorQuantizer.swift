import BantamArchive
import Encodings
import InputStatistics
import ModelSources
import Tensors

/// What data did to a tensor that was quantized.
public struct TensorOutcome: Sendable, Equatable {
  public let name: String
  /// How far data guided it.
  public let depth: StatisticsFile.Depth
  /// Whether data guided it less far than there is data for: its moments could not be factored, or there are none.
  public let fellShort: Bool
  public let weightDecibels: Double
  /// Of the outputs, over the inputs that the statistics have seen; nil where they have seen none.
  public let outputDecibels: Double?
}

/// Quantizes one tensor into the file that is written.
struct TensorQuantizer {
  let plan: ConversionPlan
  let item: Int
  let encoding: any Encoding

  func run(_ writer: ArchiveWriter, _ stream: StreamBuffers) throws -> TensorOutcome {
    let number = plan.sourceNumbers[item]
    let tensor = plan.archive.index.tensors[item]
    guard let shape = encoding.shape(forWriting: tensor.info), let solver = encoding.solver else {
      preconditionFailure("the plan gives a tensor only what can be written")
    }
    let name = tensor.info.name.text
    let (guide, depth) =
      solver.takesGuide ? try plan.statistics?.guide(name, shape) ?? (nil, .none) : (nil, .none)
    let meter = try plan.statistics.flatMap { try OutputMeter($0, name, shape) }
    let encoder = TensorEncoder(
      plan.source, number, encoding, guide: guide, meter: meter, resources: plan.resources)
    let planes = tensor.planes.indices.map { writer.sink(tensor: item, plane: $0) }
    let result = try encoder.run(stream) { for (sink, bytes) in zip(planes, $0) { try sink.append(bytes) } }
    let quality = ArchiveIndex.Quality(
      method: tensor.quality?.method ?? solver.method, sqnrDecibels: result.errors.sqnrDecibels,
      maximumAbsoluteError: result.errors.largestError, cosine: result.errors.cosine)
    writer.record(
      tensor: item, planes: planes, sourceDigest: plan.source.archive == nil ? result.digest : nil,
      statistics: .init(result.statistics), quality: quality)
    return TensorOutcome(
      name: name, depth: depth,
      fellShort: solver.takesGuide && plan.statistics != nil && depth != .feedback,
      weightDecibels: result.errors.sqnrDecibels,
      outputDecibels: meter == nil ? nil : result.outputs.sqnrDecibels)
  }
}
