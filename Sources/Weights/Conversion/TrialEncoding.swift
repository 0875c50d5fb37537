import Encodings
import InputStatistics
import Kernels
import ModelSources
import Synchronization
import Tensors

/// One tensor in another encoding, in memory: to see what that would do.
public struct TrialEncoding: Sendable {
  public let matrix: EncodedMatrix
  /// Its bytes live as long as this.
  public let owner: any Sendable
  /// Where they are those of a file: throws once it has lost some.
  public let check: @Sendable () throws -> Void
  /// The energy of the errors of its outputs, over the inputs that the statistics have seen, as a part of the outputs' own; of the
  /// weights where there are no such inputs.
  public let relativeError: Double

  init(_ matrix: EncodedMatrix, in file: MappedFile, relativeError: Double) {
    self.matrix = matrix
    owner = file
    check = { if file.isTorn { throw FileError.damaged(path: file.path, problem: "was cut while it was read") } }
    self.relativeError = relativeError
  }

  /// - Returns: nil where the encoding does not take the tensor.
  /// - Throws: ``StatisticsError``, or what reading the source throws.
  public init?(
    _ source: ModelSource, _ tensor: ModelMap.Tensor, _ encoding: any Encoding, _ statistics: StatisticsFile?,
    _ resources: Resources
  ) throws {
    var planes: [(buffer: AlignedBuffer, used: Int)] = []
    let shape: EncodedShape
    let found = try Self.run(source, tensor, encoding, statistics, resources) { encoder in
      planes = try encoding.planes(of: encoder.shape)!.map { (try AlignedBuffer(byteCount: $0.byteCount), 0) }
    } sink: { pieces in
      for (number, piece) in pieces.enumerated() {
        planes[number].buffer.bytes[planes[number].used...].copyBytes(from: piece)
        planes[number].used += piece.count
      }
    }
    guard let found else { return nil }
    (shape, relativeError) = found
    let buffers = planes.map(\.buffer)
    owner = buffers
    check = {}
    matrix = EncodedMatrix(encoding, shape, planes: buffers.map { UnsafeRawBufferPointer($0.bytes) })
  }

  /// Stripes that tell the error of a large tensor well enough: its rows are many samples of one distribution.
  private static let sampleCount = 64

  /// The relative error of each tensor in each encoding that takes it, by names; of large ones that of some of their rows, evenly spread.
  /// - Parameter progress: called from any thread.
  public static func relativeErrors(
    _ source: ModelSource, _ tensors: [ModelMap.Tensor], _ encodings: [any Encoding], _ statistics: StatisticsFile?,
    _ resources: Resources, progress: @Sendable (_ done: Int, _ count: Int, _ name: String) -> Void
  ) throws -> [String: [String: Double]] {
    let found = Mutex<[String: [String: Double]]>([:])
    try Workers.run(threadCount: resources.threadCount, itemCount: tensors.count) { _, number in
      let name = tensors[number].name.text
      progress(found.withLock { $0.count }, tensors.count, name)
      var own: [String: Double] = [:]
      for encoding in encodings {
        own[encoding.shortName] =
          try run(source, tensors[number], encoding, statistics, resources, isSample: true) { _ in
          } sink: { _ in
          }?.error
      }
      found.withLock { $0[name] = own }
    }
    return found.withLock { $0 }
  }

  private static func run(
    _ source: ModelSource, _ tensor: ModelMap.Tensor, _ encoding: any Encoding, _ statistics: StatisticsFile?,
    _ resources: Resources, isSample: Bool = false, begin: (TensorEncoder) throws -> Void,
    sink: ([UnsafeRawBufferPointer]) throws -> Void
  ) throws -> (shape: EncodedShape, error: Double)? {
    guard encoding.solver != nil, let shape = encoding.shape(forWriting: source.tensors[tensor.number].info)
    else { return nil }
    let name = tensor.name.text
    let guide = try statistics?.guide(name, shape).guide
    let meter = try statistics.flatMap { try OutputMeter($0, name, shape) }
    let encoder = TensorEncoder(
      source, tensor.number, encoding, guide: guide, meter: meter, resources: resources)
    try begin(encoder)
    let stripes = shape.rows / encoding.grain.rows
    let result = try encoder.run(nil, everyStripe: isSample ? max(1, stripes / sampleCount) : 1, sink: sink)
    let (error, energy) =
      meter == nil
      ? (result.errors.errorSquare, result.errors.sourceSquare) : (result.outputs.error, result.outputs.energy)
    return (shape, energy > 0 ? max(0, error / energy) : 0)
  }
}
