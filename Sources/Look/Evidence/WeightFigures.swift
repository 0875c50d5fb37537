import Comparison
import ModelSources
import Tensors

/// What a model's weights take, and what they have lost beside the reference's.
public struct WeightFigures: Sendable, Equatable {
  /// Bytes of all tensors as they are stored.
  public let byteCount: Int
  public let parameterCount: Int
  /// The same of the tensors that may be quantized: matrices and kernels that their family does not protect.
  public let quantizableByteCount: Int
  public let quantizableCount: Int
  /// Energy of the reference's weights over that of the differences, in dB, over all tensors that both have; nil where the reference's
  /// weights are not at hand.
  public internal(set) var sqnrDecibels: Double?
  /// The tensor with the lowest.
  public internal(set) var worst: Worst?

  public struct Worst: Sendable, Equatable {
    public let name: String
    public let sqnrDecibels: Double
  }

  public var bitsPerWeight: Double? { Self.bits(byteCount, parameterCount) }
  public var bitsPerQuantizable: Double? { Self.bits(quantizableByteCount, quantizableCount) }

  private static func bits(_ bytes: Int, _ count: Int) -> Double? {
    count > 0 ? 8 * Double(bytes) / Double(count) : nil
  }

  /// - Throws: what opening the source throws.
  public init(_ source: ModelSource) throws {
    let map = try ModelMap(source)
    var (bytes, count, quantizableBytes, quantizableCount) = (0, 0, 0, 0)
    for component in map.components {
      for tensor in component.tensors {
        let stored = source.tensors[tensor.number]
        bytes += stored.storedByteCount
        // What repeats another tensor is no weight of its own.
        guard stored.storedByteCount > 0 else { continue }
        count += stored.info.elementCount
        guard stored.info.shape.count >= 2,
          map.quantization.level(role: tensor.role, component: component.name) != .keep
        else { continue }
        quantizableBytes += stored.storedByteCount
        quantizableCount += stored.info.elementCount
      }
    }
    byteCount = bytes
    parameterCount = count
    quantizableByteCount = quantizableBytes
    self.quantizableCount = quantizableCount
  }

  /// Compares with the reference's, tensor by tensor.
  mutating func compare(with reference: ModelSource, _ source: ModelSource, _ resources: Resources) throws {
    let diff = try WeightDiff(reference, source, resources: resources)
    sqnrDecibels = WeightDiff.sqnrDecibels(of: diff.rows)
    let rows = diff.rows.compactMap { row in row.values.map { (row.name, $0) } }
    worst = rows.filter { $0.1.changedCount > 0 }.min { $0.1.sqnrDecibels < $1.1.sqnrDecibels }
      .map { Worst(name: $0.0.text, sqnrDecibels: $0.1.sqnrDecibels) }
  }
}
