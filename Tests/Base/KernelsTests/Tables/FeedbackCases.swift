import TestSupport

extension FeedbackTwin {
  /// Rows, columns, columns of a segment, columns of a block: blocks of one tile and of two, a short last one, tiles that
  /// no segment fills, segments narrower than a block.
  static let shapes = [
    (1, 1, 1, 32), (3, 31, 31, 32), (16, 64, 64, 32), (15, 100, 100, 64), (16, 144, 144, 64), (5, 96, 48, 32),
    (2, 288, 144, 64), (4, 51, 17, 32), (7, 80, 80, 32), (1, 200, 100, 96),
  ]

  /// Random factors, of the size that data gives them. What is not below the diagonal is no number: nobody may read it.
  init(segment: Int, block: Int, size: Float, _ generator: inout SeededGenerator) {
    let factors = stride(from: 0, to: segment, by: block).map { first in
      let columns = min(block, segment - first)
      let normals = generator.normals(columns * columns)
      return normals.indices.map { $0 % columns < $0 / columns ? normals[$0] * size : .nan }
    }
    self.init(factors: factors, block: block)
  }
}
