import Kernels
import Tensors

/// A matrix of weights in memory, as its encoding stores it.
public struct EncodedMatrix: Sendable {
  public let encoding: any Encoding
  public let shape: EncodedShape
  /// Valid as long as their owner lives.
  public let planes: PlaneBytes

  /// - Precondition: the planes have the sizes that the encoding gives.
  public init(_ encoding: any Encoding, _ shape: EncodedShape, planes: [UnsafeRawBufferPointer]) {
    let expected = encoding.planes(of: shape)
    precondition(
      expected.map { $0.count == planes.count && zip($0, planes).allSatisfy { $0.byteCount <= $1.count } }
        ?? false, "planes do not fit their encoding")
    self.encoding = encoding
    self.shape = shape
    self.planes = PlaneBytes(planes)
  }

  /// Decodes to f32.
  /// - Parameters:
  ///   - outputs: from a multiple of the grain's rows on.
  ///   - inputs: places within one segment, from a multiple of the grain's columns on.
  ///   - out: `[outputs, inputs]`, overwritten.
  public func decode(outputs: Range<Int>, inputs: Range<Int>, into out: UnsafeMutablePointer<Float>) {
    let height = encoding.grain.rows
    for first in stride(from: outputs.lowerBound, to: outputs.upperBound, by: height) {
      encoding.decode(
        encoding.piece(self, stripe: first / height, columns: inputs), dtype: shape.dtype,
        rows: min(height, outputs.upperBound - first), columns: inputs.count,
        into: out + (first - outputs.lowerBound) * inputs.count, stride: inputs.count)
    }
  }

  /// Decodes one row, such as a token's embedding.
  /// - Parameter out: `[columns]`, overwritten.
  /// - Precondition: the row is one segment.
  public func decodeRow(_ row: Int, into out: UnsafeMutablePointer<Float>, scratch: Scratch) {
    precondition(shape.segmentCount == 1)
    var scratch = scratch
    let (height, columns) = (encoding.grain.rows, shape.columns)
    guard height > 1 else { return decode(outputs: row..<row + 1, inputs: 0..<columns, into: out) }
    // Whole stripes are decoded, a run of columns at a time.
    let width = 1024
    let values = scratch.take(Float.self, height * width)
    for first in stride(from: 0, to: columns, by: width) {
      let inputs = first..<min(columns, first + width)
      decode(outputs: row / height * height..<row + 1, inputs: inputs, into: values)
      (out + first).update(from: values + row % height * inputs.count, count: inputs.count)
    }
  }
}
