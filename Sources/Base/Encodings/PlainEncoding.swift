import Kernels
import Tensors

/// Elements of the tensor's own dtype, row-major; or in the tiles of any layout, which are read and not computed with.
public struct PlainEncoding: Encoding {
  public init() {}

  public var name: String { "plain" }
  public var shortName: String { "plain" }
  public var parameters: String { "" }
  public var isLossy: Bool { false }
  public var grain: (rows: Int, columns: Int) { (1, 1) }
  public var solver: (any Solver)? { nil }

  public func shape(forWriting info: TensorInfo) -> EncodedShape? { EncodedShape(info.matrix, dtype: info.dtype) }

  public func planes(of shape: EncodedShape) -> [PlaneShape]? {
    let (bits, overflow) = (shape.rows * shape.columns).multipliedReportingOverflow(by: shape.dtype.bitWidth)
    return overflow ? nil : [PlaneShape(kind: .values, layout: .rowMajor, byteCount: bits / 8)]
  }

  public func shape(of info: TensorInfo, planes: [PlaneShape]) throws(PlaneProblem) -> EncodedShape {
    guard planes.count == 1, planes[0].kind == .values else { throw .notOfEncoding }
    let expected: Int
    switch planes[0].layout {
    case .unknown: throw .unknownLayout
    case .rowMajor: expected = info.byteCount
    case .tiled(let tile):
      guard tile.elementBits == info.dtype.bitWidth, tile.tileScaleByteCount == 0, tile.fits(info.matrix),
        let count = tile.planeByteCount(info.matrix)
      else { throw .badLayout(plane: 0) }
      // Rows of tiles are read one by one: each has to fill whole bytes of the plain form.
      guard (tile.tileRows % 8) * (info.matrix.columns % 8) * tile.elementBits % 8 == 0 else { throw .unknownLayout }
      expected = count
    }
    guard planes[0].byteCount == expected else {
      throw .size(plane: 0, expected: expected, found: planes[0].byteCount)
    }
    return EncodedShape(info.matrix, dtype: info.dtype)
  }

  public func byteRange(plane: Int, of shape: EncodedShape, stripe: Int, columns: Range<Int>) -> Range<Int> {
    let start = (stripe * shape.columns + columns.lowerBound) * shape.dtype.bitWidth / 8
    return start..<start + columns.count * shape.dtype.bitWidth / 8
  }

  public func decode(
    _ piece: PlaneBytes, dtype: DType, rows: Int, columns: Int, into out: UnsafeMutablePointer<Float>, stride: Int
  ) {
    guard let bytes = piece[0].baseAddress else { return }
    ElementCast.widen(count: columns, from: bytes, dtype, to: out)
  }

  public func pack(
    _ matrix: EncodedMatrix, outputs: Range<Int>, inputs: Range<Int>, into panel: UnsafeMutablePointer<Float>,
    scratch: Scratch
  ) {
    PanelProduct.packRows(
      element(matrix, outputs.lowerBound, inputs.lowerBound), dtype: matrix.shape.dtype, stride: matrix.shape.columns,
      columns: outputs.count, depth: inputs.count, panel: panel)
  }

  public func packPairs(
    _ matrix: EncodedMatrix, outputs: Range<Int>, inputs: Range<Int>, into panel: UnsafeMutablePointer<UInt16>,
    scratch: Scratch
  ) {
    if matrix.shape.dtype == .bf16 {
      let rows = element(matrix, outputs.lowerBound, inputs.lowerBound).assumingMemoryBound(to: UInt16.self)
      return PairProduct.packRows(
        rows, stride: matrix.shape.columns, columns: outputs.count, depth: inputs.count, panel: panel)
    }
    // Narrowed row by row: the rows of bf16 are what turns fastest.
    var scratch = scratch
    let (wide, narrow) = (
      scratch.take(Float.self, inputs.count), scratch.take(UInt16.self, outputs.count * inputs.count)
    )
    for output in outputs {
      matrix.decode(outputs: output..<output + 1, inputs: inputs, into: wide)
      ElementCast.narrow(
        count: inputs.count, from: wide, to: narrow + (output - outputs.lowerBound) * inputs.count, .bf16)
    }
    PairProduct.packRows(narrow, stride: inputs.count, columns: outputs.count, depth: inputs.count, panel: panel)
  }

  public func multiplyRow(
    _ matrix: EncodedMatrix, outputs: Range<Int>, by x: UnsafePointer<Float>, into out: UnsafeMutablePointer<Float>,
    scratch: Scratch
  ) {
    RowProduct.multiplyAdd(
      element(matrix, outputs.lowerBound, 0), dtype: matrix.shape.dtype, stride: matrix.shape.columns,
      rows: outputs.count, x: x, depth: matrix.shape.columns, out: out)
  }

  private func element(_ matrix: EncodedMatrix, _ row: Int, _ column: Int) -> UnsafeRawPointer {
    matrix.planes[0].baseAddress! + (row * matrix.shape.columns + column) * matrix.shape.dtype.bitWidth / 8
  }
}

extension Encoding where Self == PlainEncoding {
  public static var plain: Self { PlainEncoding() }
}
