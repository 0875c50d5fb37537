/// How the second moments of columns lie: blocks along the diagonal, of each the upper triangle row by row.
public struct MomentBlocks: Sendable, Equatable {
  public let columns: Int
  /// Columns of a block; the last may have fewer. 0 where only the diagonal is kept.
  public let blockColumns: Int

  public init(columns: Int, blockColumns: Int) {
    self.columns = columns
    self.blockColumns = blockColumns
  }

  public var ranges: [Range<Int>] {
    blockColumns == 0
      ? [] : stride(from: 0, to: columns, by: blockColumns).map { $0..<min(columns, $0 + blockColumns) }
  }

  /// Numbers of a triangle.
  public static func triangleCount(_ size: Int) -> Int { size * (size + 1) / 2 }

  /// Where row `row` of a triangle begins, at its diagonal.
  static func rowStart(_ row: Int, size: Int) -> Int { row * size - row * (row - 1) / 2 }

  /// A triangle as the whole matrix, `[size, size]`.
  static func symmetric(_ triangle: [Double], size: Int) -> [Double] {
    var matrix = [Double](repeating: 0, count: size * size)
    var place = 0
    for row in 0..<size {
      for column in row..<size {
        matrix[row * size + column] = triangle[place]
        matrix[column * size + row] = triangle[place]
        place += 1
      }
    }
    return matrix
  }
}
