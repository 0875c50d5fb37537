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

  /// Rows of values with sizes of factors: NaN, infinities, zeros, the ends of f32's range and of f16's, and factors under which errors grow
  /// until they are no numbers.
  static func strangeCases(
    rows: Int, columns: Int, _ generator: inout SeededGenerator
  ) -> [(values: [Float], factors: Float, name: String)] {
    var cases: [(values: [Float], factors: Float, name: String)] = []
    for size: Float in [0, -0.0, 0x1p-149, 0x1p-133, 1e-30, 5e-8, 3e-7, 1e-5, 1e6, 1e30, 3e37] {
      cases.append((generator.normals(rows * columns).map { $0 * size }, 0.2, "size \(size)"))
    }
    for size: Float in [0, 1, 1e3, 1e30, 1e38] {
      cases.append((generator.normals(rows * columns), size, "factors of \(size)"))
    }
    var values = generator.normals(rows * columns)
    for index in values.indices where index % 11 == 0 { values[index] = [.nan, .infinity, -.infinity][index % 3] }
    // A row without a number, and a group of zeros in another.
    for column in 0..<columns { values[column] = column % 2 == 0 ? .infinity : .nan }
    for column in 32..<64 { values[columns + column] = 0 }
    cases.append((values, 0.2, "not finite"))
    return cases
  }
}
