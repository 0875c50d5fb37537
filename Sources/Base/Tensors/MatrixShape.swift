/// A tensor of weights seen as a matrix: an output a row.
public struct MatrixShape: Sendable, Hashable {
  public let rows: Int
  public let columns: Int
  /// Positions of a convolution's kernel, `kh * kw`, among columns `[channels, kh, kw]`; 1 for everything else.
  public let taps: Int

  /// - Precondition: `taps` is at least 1 and divides `columns`.
  public init(rows: Int, columns: Int, taps: Int = 1) {
    precondition(taps > 0 && columns % taps == 0)
    self.rows = rows
    self.columns = columns
    self.taps = taps
  }

  /// Columns that belong to one tap.
  public var channels: Int { columns / taps }
}

extension TensorInfo {
  /// The first dimension, and the product of the others. A scalar or vector is one row, an empty tensor none.
  public var matrix: MatrixShape {
    guard elementCount > 0 else { return MatrixShape(rows: 0, columns: 0) }
    guard shape.count >= 2 else { return MatrixShape(rows: 1, columns: elementCount) }
    return MatrixShape(
      rows: shape[0], columns: elementCount / shape[0], taps: shape.count == 4 ? shape[2] * shape[3] : 1)
  }
}
