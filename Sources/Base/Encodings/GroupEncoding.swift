import Kernels
import Tensors

/// Integers in groups of 32 columns with one f16 scale a group: value = scale x code.
///
/// The whole two's-complement range is used and the scale is signed, so that the element of largest magnitude can take the
/// longer end. Format: formats/bantam.md, section 8.
public struct GroupEncoding: Encoding, Hashable {
  /// 8 or 4.
  public let bits: Int

  fileprivate init(bits: Int) { self.bits = bits }

  public var shortName: String { "int\(bits)" }
  public var name: String { "int\(bits)-g\(GroupTile.columns)" }
  public var parameters: String {
    #"{"bits":\#(bits),"group":\#(GroupTile.columns),"offset":\#(1 << (bits - 1)),"scale":"F16"}"#
  }
  public var summary: String {
    bits == 8
      ? "as Q8_0: exports without rounding" : "as Q4_0: exports without rounding; fastest 4 bits with AVX2 alone"
  }
  public var codeBits: Int? { bits }
  public var isLossy: Bool { true }
  public var hidesRoundedActivations: Bool { bits == 4 }
  public var grain: (rows: Int, columns: Int) { (GroupTile.rows, GroupTile.columns) }
  public var solver: (any Solver)? { ScaleSearch(bits: bits) }

  // MARK: Where bytes lie

  public func codeLayout(of shape: EncodedShape) -> TileLayout { shape.codeLayout(bits: bits)! }

  /// Scales of a tile's 16 rows side by side, tiles in the order of the codes.
  public static let scaleLayout = TileLayout(
    elementBits: 16, tileRows: GroupTile.rows, tileColumns: 1, turnColumns: 1)!

  public func planes(of shape: EncodedShape) -> [PlaneShape]? {
    let groups = MatrixShape(rows: shape.rows, columns: shape.tilesAcross)
    guard let layout = shape.codeLayout(bits: bits), let codes = layout.planeByteCount(shape.matrix),
      let scales = Self.scaleLayout.planeByteCount(groups)
    else { return nil }
    return [
      PlaneShape(kind: .codes, layout: .tiled(layout), byteCount: codes),
      PlaneShape(kind: .scales, layout: .tiled(Self.scaleLayout), byteCount: scales),
    ]
  }

  public func byteRange(plane: Int, of shape: EncodedShape, stripe: Int, columns: Range<Int>) -> Range<Int> {
    shape.tileBytes(
      stripe: stripe, columns: columns,
      byteCount: plane == 0 ? GroupTile.codeByteCount(bits: bits) : GroupTile.scaleByteCount)
  }

  // MARK: What bytes mean

  public func decode(
    _ piece: PlaneBytes, dtype: DType, rows: Int, columns: Int, into out: UnsafeMutablePointer<Float>, stride: Int
  ) {
    GroupKernels.decode(
      codes: piece[0], scales: piece[1], rows: rows, columns: columns, bits: bits,
      out: .init(start: out, count: (rows - 1) * stride + columns), rowStride: stride)
  }

  // MARK: Products

  public func pack(
    _ matrix: EncodedMatrix, outputs: Range<Int>, inputs: Range<Int>, into panel: UnsafeMutablePointer<Float>,
    scratch: Scratch
  ) {
    packStripes(matrix, outputs: outputs, inputs: inputs, into: panel) { piece, half in
      GroupKernels.decodePanel(codes: piece[0], scales: piece[1], columns: inputs.count, bits: bits, panel: half)
    }
  }
}

extension GroupEncoding {
  public var hasDots: Bool { true }

  public func multiply(
    _ matrix: EncodedMatrix, outputs: Range<Int>, by rows: QuantizedRows, into out: UnsafeMutablePointer<Float>,
    stride: Int
  ) {
    let groups = matrix.shape.tilesAcross
    precondition(rows.runs.count * rows.runGroups == groups)
    let (codes, scales) = planes(of: matrix, from: outputs.lowerBound)
    DotProduct.multiply(
      rows, codes: codes, scales: scales, bits: bits, outputCount: outputs.count, into: out, stride: stride)
  }

  public func multiplyRow(
    _ matrix: EncodedMatrix, outputs: Range<Int>, by x: UnsafePointer<Float>, into out: UnsafeMutablePointer<Float>,
    scratch: Scratch
  ) {
    let (codes, scales) = planes(of: matrix, from: outputs.lowerBound)
    GroupKernels.multiplyRow(
      codes: codes, scales: scales, bits: bits, x: x, columns: matrix.shape.columns, out: out,
      outputCount: outputs.count)
  }

  /// Codes and scales from an output on, which begins a tile.
  private func planes(
    of matrix: EncodedMatrix, from output: Int
  ) -> (codes: UnsafeRawBufferPointer, scales: UnsafeRawBufferPointer) {
    precondition(output % GroupTile.rows == 0)
    let first = output / GroupTile.rows * matrix.shape.tilesAcross
    return (
      UnsafeRawBufferPointer(rebasing: matrix.planes[0][(first * GroupTile.codeByteCount(bits: bits))...]),
      UnsafeRawBufferPointer(rebasing: matrix.planes[1][(first * GroupTile.scaleByteCount)...])
    )
  }
}

/// Finds scales by trials, each judged by the error of the values as they will be decoded.
private struct ScaleSearch: Solver {
  let bits: Int

  var method: String {
    "scale search with least-squares refit, " + (bits == 8 ? "9 trials" : "10 refitted trials")
  }
  var lowestDecibels: Double { bits == 8 ? 20 : 10 }
  var needsWholeRows: Bool { false }

  func encode(
    _ values: UnsafeRawBufferPointer, dtype: DType, rowStride: Int, rows: Int, columns: Int, segmentColumns: Int,
    guide: ColumnGuide?, into planes: [UnsafeMutableRawBufferPointer], sums: inout ErrorSums
  ) {
    if let guide {
      return GroupKernels.quantize(
        values, dtype: dtype, rowStride: rowStride, rows: rows, columns: columns, segmentColumns: segmentColumns,
        bits: bits, guide: guide, codes: planes[0], scales: planes[1], sums: &sums)
    }
    let tiles = GroupTile.count(columns: segmentColumns)
    for (segment, first) in stride(from: 0, to: columns, by: segmentColumns).enumerated() {
      let done = segment * tiles
      GroupKernels.quantize(
        UnsafeRawBufferPointer(rebasing: values[(first * dtype.bitWidth / 8)...]), dtype: dtype, rowStride: rowStride,
        rows: rows, columns: segmentColumns, bits: bits,
        codes: .init(rebasing: planes[0][(done * GroupTile.codeByteCount(bits: bits))...]),
        scales: .init(rebasing: planes[1][(done * GroupTile.scaleByteCount)...]), sums: &sums)
    }
  }
}

extension Encoding where Self == GroupEncoding {
  public static var int8: Self { GroupEncoding(bits: 8) }
  public static var int4: Self { GroupEncoding(bits: 4) }
}
