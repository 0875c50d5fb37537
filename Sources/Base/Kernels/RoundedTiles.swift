import CKernels

/// Matrices of activations as the weights of a product in 8 bits, in tiles of 16 outputs by 32 inputs with f16 scales. Memory of the
/// caller's. Groups of values below 2^-25 become 0; a NaN or a magnitude beyond 127 times the largest f16 makes its group's products NaN.
public struct RoundedTiles: @unchecked Sendable {
  // Unchecked: written before it is read, each tile by one thread.
  private let codes: UnsafeMutablePointer<UInt8>
  private let scales: UnsafeMutablePointer<UInt16>
  /// Tiles.
  public let count: Int

  /// Bytes of a tile and its scales.
  public static let byteCount = GroupTile.codeByteCount(bits: 8) + GroupTile.scaleByteCount

  /// - Parameter memory: `count * byteCount` bytes, aligned to two.
  public init(_ memory: UnsafeMutableRawPointer, count: Int) {
    self.count = count
    codes = memory.assumingMemoryBound(to: UInt8.self)
    scales = (memory + count * GroupTile.codeByteCount(bits: 8)).assumingMemoryBound(to: UInt16.self)
  }

  /// Rounds outputs that lie in rows: tiles along the columns.
  /// - Parameters:
  ///   - x: `[rows, stride]` f32, of which `columns` of each of at most 16 rows count.
  ///   - tile: the first tile of `GroupTile.count(columns: columns)`.
  public func round(
    rows x: UnsafePointer<Float>, stride: Int, rowCount: Int, columns: Int, at tile: Int
  ) {
    precondition((1...GroupTile.rows).contains(rowCount) && columns <= stride)
    precondition(tile >= 0 && tile + GroupTile.count(columns: columns) <= count)
    ck_round_rows(
      x, stride, rowCount, columns, codes + tile * GroupTile.codeByteCount(bits: 8), scales + tile * GroupTile.rows)
  }

  /// Rounds outputs that lie in columns: tiles along the rows.
  /// - Parameters:
  ///   - x: `[rows, stride]` f32, of which at most 16 columns count.
  ///   - tile: the first tile of `GroupTile.count(columns: rowCount)`.
  public func round(
    columns x: UnsafePointer<Float>, stride: Int, rowCount: Int, columnCount: Int, at tile: Int
  ) {
    precondition((1...GroupTile.rows).contains(columnCount) && columnCount <= stride)
    precondition(tile >= 0 && tile + GroupTile.count(columns: rowCount) <= count)
    ck_round_columns(
      x, stride, rowCount, columnCount, codes + tile * GroupTile.codeByteCount(bits: 8),
      scales + tile * GroupTile.rows)
  }

  /// `output[m, n] = sum over k of rows[m, k] * tiles[n, k]`, as ``DotProduct`` multiplies.
  /// - Parameters:
  ///   - tile: the first output's first tile.
  ///   - output: `[rowCount, stride]`, `outputCount` of each row overwritten.
  public func multiply(
    _ rows: QuantizedRows, at tile: Int, outputCount: Int, into output: UnsafeMutablePointer<Float>, stride: Int
  ) {
    precondition((0..<count).contains(tile))
    let bytes = GroupTile.codeByteCount(bits: 8)
    DotProduct.multiply(
      rows, codes: UnsafeRawBufferPointer(start: codes + tile * bytes, count: (count - tile) * bytes),
      scales: UnsafeRawBufferPointer(
        start: scales + tile * GroupTile.rows, count: (count - tile) * GroupTile.scaleByteCount),
      bits: 8, outputCount: outputCount, into: output, stride: stride)
  }
}
