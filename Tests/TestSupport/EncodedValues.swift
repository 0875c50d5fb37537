import Encodings
import Kernels
import Tensors

/// Values in an encoding, piece by piece, in memory.
public struct EncodedValues: Sendable {
  public let encoding: any Encoding
  public let shape: EncodedShape
  public let planes: [AlignedBuffer]
  public private(set) var sums = ErrorSums()

  /// - Parameters:
  ///   - values: `[rows, columns]` in the source's order.
  ///   - guide: what data says of the columns, in the order of the shape.
  public init(
    _ values: [Float], _ shape: EncodedShape, _ encoding: any Encoding, guide: ColumnGuide? = nil
  ) throws {
    precondition(values.count == shape.rows * shape.columns)
    self.encoding = encoding
    self.shape = shape
    planes = try encoding.planes(of: shape)!.map { plane in
      let buffer = try AlignedBuffer(byteCount: plane.byteCount)
      buffer.bytes.initializeMemory(as: UInt8.self, repeating: 0xEE)
      return buffer
    }
    let layout = TileLayout(
      elementBits: 32, tileRows: 1, tileColumns: 1, turnColumns: 1, columnOrder: shape.order,
      segmentColumns: shape.order == .tapMajor ? shape.segmentColumns : 0)!
    var ordered = values
    for row in 0..<shape.rows {
      for column in 0..<shape.columns {
        ordered[row * shape.columns + layout.place(of: column, in: shape.matrix)] = values[row * shape.columns + column]
      }
    }
    let height = encoding.grain.rows
    for row in stride(from: 0, to: shape.rows, by: height) {
      let piece = planes.indices.map { plane in
        let byteCount = encoding.byteCount(plane: plane, of: shape, columns: shape.columns)
        return UnsafeMutableRawBufferPointer(
          rebasing: planes[plane].bytes[row / height * byteCount..<(row / height + 1) * byteCount])
      }
      ordered.withUnsafeBytes { bytes in
        encoding.solver!.encode(
          UnsafeRawBufferPointer(rebasing: bytes[(4 * row * shape.columns)...]), dtype: .f32,
          rowStride: shape.columns, rows: min(height, shape.rows - row), columns: shape.columns,
          segmentColumns: shape.segmentColumns, guide: guide, into: piece, sums: &sums)
      }
    }
  }

  public init(
    _ values: [Float], rows: Int, columns: Int, _ encoding: any Encoding, guide: ColumnGuide? = nil
  ) throws {
    try self.init(
      values, EncodedShape(MatrixShape(rows: rows, columns: columns), dtype: .f32), encoding, guide: guide)
  }

  public var matrix: EncodedMatrix {
    EncodedMatrix(encoding, shape, planes: planes.map { UnsafeRawBufferPointer($0.bytes) })
  }

  public func bytes(_ plane: Int) -> [UInt8] { [UInt8](UnsafeRawBufferPointer(planes[plane].bytes)) }

  /// All values, `[rows, columns]` in the source's order.
  public func decoded() -> [Float] {
    var out = [Float](repeating: .nan, count: shape.rows * shape.columns)
    var piece = [Float](repeating: .nan, count: shape.rows * shape.segmentColumns)
    let (taps, width) = (shape.segmentCount, shape.segmentColumns)
    for segment in 0..<taps {
      matrix.decode(outputs: 0..<shape.rows, inputs: segment * width..<(segment + 1) * width, into: &piece)
      for row in 0..<shape.rows {
        for column in 0..<width {
          out[row * shape.columns + (taps == 1 ? column : column * taps + segment)] = piece[row * width + column]
        }
      }
    }
    return out
  }
}
