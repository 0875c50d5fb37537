import Encodings
import Tensors

/// The blocks of a GGUF type: runs of 32 or 256 elements, row after row, each with its own scales. They are only read.
public struct GGMLEncoding: Encoding {
  public let type: GGMLType

  /// Nil for a type whose blocks are not known.
  public init?(_ type: GGMLType) {
    guard type.canDecode else { return nil }
    self.type = type
  }

  public var name: String { type.name }
  public var shortName: String { type.name }
  public var parameters: String { "" }
  public var isLossy: Bool { true }
  public var grain: (rows: Int, columns: Int) { (1, type.blockElementCount) }
  public var solver: (any Solver)? { nil }

  public func planes(of shape: EncodedShape) -> [PlaneShape]? {
    let (size, overflow) = (shape.rows * shape.columns / type.blockElementCount).multipliedReportingOverflow(
      by: type.blockByteCount)
    return overflow ? nil : [PlaneShape(kind: .codes, layout: .rowMajor, byteCount: size)]
  }

  /// Blocks may run on from row to row where rows are too narrow for them: then there is but one row.
  public func shape(of info: TensorInfo, planes: [PlaneShape]) throws(PlaneProblem) -> EncodedShape {
    guard info.elementCount % type.blockElementCount == 0 else { throw .notOfEncoding }
    let isWhole = info.matrix.columns % type.blockElementCount == 0
    let shape = EncodedShape(
      isWhole ? info.matrix : MatrixShape(rows: 1, columns: info.elementCount), dtype: .f32)
    guard let expected = self.planes(of: shape), planes == expected else { throw .notOfEncoding }
    return shape
  }

  public func byteRange(plane: Int, of shape: EncodedShape, stripe: Int, columns: Range<Int>) -> Range<Int> {
    let (size, first) = (type.blockElementCount, stripe * shape.columns)
    let blocks = (first + columns.lowerBound) / size..<(first + columns.upperBound + size - 1) / size
    return blocks.lowerBound * type.blockByteCount..<blocks.upperBound * type.blockByteCount
  }

  public func decode(
    _ piece: PlaneBytes, dtype: DType, rows: Int, columns: Int, into out: UnsafeMutablePointer<Float>, stride: Int
  ) {
    let size = type.blockElementCount
    let (whole, rest) = columns.quotientAndRemainder(dividingBy: size)
    type.decode(piece[0], blockCount: whole, into: UnsafeMutableBufferPointer(start: out, count: whole * size))
    guard rest > 0 else { return }
    withUnsafeTemporaryAllocation(of: Float.self, capacity: size) { last in
      type.decode(
        UnsafeRawBufferPointer(rebasing: piece[0][(whole * type.blockByteCount)...]), blockCount: 1, into: last)
      (out + whole * size).update(from: last.baseAddress!, count: rest)
    }
  }
}
