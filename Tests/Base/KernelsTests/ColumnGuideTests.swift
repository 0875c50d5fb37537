import Tensors
import Testing
import TestSupport

@testable import Kernels

/// Plain linear algebra on `[size, size]`, row by row.
private struct Square {
  var values: [Double]
  let size: Int

  subscript(row: Int, column: Int) -> Double {
    get { values[row * size + column] }
    set { values[row * size + column] = newValue }
  }

  /// Second moments of `3 size` rows of normal deviates, whose columns have sizes of their own.
  init(random size: Int, _ generator: inout SeededGenerator) {
    let scales = generator.normals(size).map { abs(Double($0)) + 0.1 }
    let rows = (0..<3 * size).map { _ in zip(generator.normals(size), scales).map { Double($0) * $1 } }
    self.init(size) { i, j in rows.reduce(0) { $0 + $1[i] * $1[j] } }
  }

  init(_ size: Int, _ value: (Int, Int) -> Double) {
    self.size = size
    values = (0..<size * size).map { value($0 / size, $0 % size) }
  }

  /// A part along the diagonal.
  func block(_ range: Range<Int>) -> [Double] {
    range.flatMap { row in range.map { self[row, $0] } }
  }

  func damped(by factor: Double) -> Square {
    let mean = (0..<size).reduce(0) { $0 + self[$1, $1] } / Double(size)
    return Square(size) { i, j in self[i, j] + (i == j ? factor * mean : 0) }
  }

  /// By Gauss and Jordan, the largest pivot of each column first.
  var inverse: Square {
    var (left, right) = (self, Square(size) { $0 == $1 ? 1 : 0 })
    for column in 0..<size {
      let pivot = (column..<size).max { abs(left[$0, column]) < abs(left[$1, column]) }!
      for other in 0..<size {
        (left[column, other], left[pivot, other]) = (left[pivot, other], left[column, other])
        (right[column, other], right[pivot, other]) = (right[pivot, other], right[column, other])
      }
      let head = left[column, column]
      for other in 0..<size {
        left[column, other] /= head
        right[column, other] /= head
      }
      for row in 0..<size where row != column {
        let factor = left[row, column]
        for other in 0..<size {
          left[row, other] -= factor * left[column, other]
          right[row, other] -= factor * right[column, other]
        }
      }
    }
    return right
  }

  /// The upper triangular U whose U^T U this is.
  var upperFactor: Square {
    var upper = Square(size) { _, _ in 0 }
    for row in 0..<size {
      for column in row..<size {
        var rest = self[row, column]
        for k in 0..<row { rest -= upper[k, row] * upper[k, column] }
        upper[row, column] = row == column ? rest.squareRoot() : rest / upper[row, row]
      }
    }
    return upper
  }
}

extension ColumnGuide.Feedback {
  /// The part of the error of column c of a block that column k is lowered by.
  fileprivate func factor(of c: Int, for k: Int, block: Int, columns: Int) -> Double {
    let sizes = stride(from: 0, to: columns, by: blockColumns).map { min(blockColumns, columns - $0) }
    let start = sizes[..<block].reduce(0) { $0 + $1 * $1 }
    return Double(factors.bytes.assumingMemoryBound(to: Float.self)[start + k * sizes[block] + c])
  }
}

/// What second moments say of columns: held against the textbook's way to the same numbers.
@Suite(.enabled(if: OpenBLAS.shared != nil, "factors come from LAPACK")) struct ColumnGuideTests {
  private func guided(
    _ moments: Square, block: Int, damping: Double = 0.01
  ) throws -> (guide: ColumnGuide, damping: Double)? {
    try ColumnGuide.feedback(columns: moments.size, blockColumns: block, damping: damping) { moments.block($0) }
  }

  /// U upper triangular, U^T U the inverse of the damped moments: an error in column c lowers column k by U_ck / U_cc and
  /// costs 1 / U_cc^2.
  @Test(arguments: [(1, 32), (5, 32), (32, 32), (40, 32), (40, 64), (100, 64)])
  func factorsAreThoseOfTheInverse(columns: Int, block: Int) throws {
    var generator = SeededGenerator(UInt64(columns))
    let moments = Square(random: columns, &generator)
    let (guide, damping) = try #require(try guided(moments, block: block))
    let feedback = try #require(guide.feedback)
    #expect(damping == 0.01)
    #expect(feedback.blockColumns == block && feedback.segmentColumns == columns)
    var costs: [Double] = []
    for (number, first) in stride(from: 0, to: columns, by: block).enumerated() {
      let range = first..<min(columns, first + block)
      let own = Square(range.count) { moments[first + $0, first + $1] }
      let upper = own.damped(by: 0.01).inverse.upperFactor
      for c in 0..<range.count {
        costs.append(1 / (upper[c, c] * upper[c, c]))
        for k in c + 1..<max(c + 1, range.count) {
          let expected = upper[c, k] / upper[c, c]
          let found = feedback.factor(of: c, for: k, block: number, columns: columns)
          #expect(abs(found - expected) <= 1e-5 * max(1, abs(expected)), "block \(number), \(c) to \(k)")
        }
      }
    }
    let mean = costs.reduce(0, +) / Double(columns)
    for (found, cost) in zip(guide.importance, costs) { #expect(abs(Double(found) * mean / cost - 1) < 1e-5) }
  }

  /// Inputs that all move together, columns that were never other than zero, no inputs at all.
  @Test func singularMomentsStillGuide() throws {
    var generator = SeededGenerator(80)
    let cause = generator.normals(40).map { Double($0) }
    let full = Square(random: 40, &generator)
    for (name, moments) in [
      ("rank 1", Square(40) { cause[$0] * cause[$1] }),
      ("zero columns", Square(40) { $0 % 3 == 0 || $1 % 3 == 0 ? 0 : full[$0, $1] }),
      ("zeros", Square(40) { _, _ in 0 }),
    ] {
      let (guide, _) = try #require(try guided(moments, block: 32), "\(name)")
      #expect(guide.importance.count == 40 && guide.importance.allSatisfy { $0 > 0 && $0.isFinite }, "\(name)")
      #expect(abs(guide.importance.reduce(0, +) / 40 - 1) < 1e-5, "\(name)")
      for (number, size) in [32, 8].enumerated() {
        for k in 0..<size {
          for c in 0..<k {
            let factor = guide.feedback!.factor(of: c, for: k, block: number, columns: 40)
            #expect(factor.isFinite && (name != "zeros" || factor == 0), "\(name)")
          }
        }
      }
    }
  }

  /// Moments that rounding has made indefinite take more damping, which is told, up to the mean of the diagonal.
  @Test func dampingIsRaisedAsFarAsItMust() throws {
    func pair(_ product: Double) -> Square { Square(2) { $0 == $1 ? 1 : product } }
    for (product, expected) in [(0.5, 0.01), (1.05, 0.1), (1.5, 1.0)] {
      let (guide, damping) = try #require(try guided(pair(product), block: 32))
      #expect(abs(damping / expected - 1) < 1e-9)
      let upper = pair(product).damped(by: expected).inverse.upperFactor
      let found = try #require(guide.feedback).factor(of: 0, for: 1, block: 0, columns: 2)
      #expect(abs(found - upper[0, 1] / upper[0, 0]) < 1e-6)
    }
    #expect(try guided(pair(3), block: 32) == nil)
  }

  @Test(arguments: [Double.nan, .infinity, -.infinity]) func whatIsNoNumberGivesNoGuide(value: Double) throws {
    var generator = SeededGenerator(81)
    let sound = Square(random: 40, &generator)
    for (row, column) in [(0, 0), (39, 39), (3, 20), (33, 38)] {
      let moments = Square(40) { ($0, $1) == (row, column) || ($1, $0) == (row, column) ? value : sound[$0, $1] }
      #expect(try guided(moments, block: 32) == nil, "\(row), \(column)")
    }
  }

  @Test func blocksThatCutTilesGiveNoGuide() throws {
    var generator = SeededGenerator(82)
    let moments = Square(random: 40, &generator)
    for block in [16, 33] { #expect(try guided(moments, block: block) == nil) }
  }
}

/// Columns that count by themselves.
@Suite struct WeightedColumnTests {
  @Test func columnsCountByTheirSquares() throws {
    let guide = try #require(ColumnGuide.weighted(squares: [4, 0, 8]))
    #expect(guide.importance == [1, 1e-3, 2] && guide.feedback == nil)
    #expect(guide.repeated(2).importance == [1, 1e-3, 2, 1, 1e-3, 2])
  }

  @Test func squaresThatSayNothingGiveNoGuide() {
    for squares in [[], [0, 0], [1, .nan], [1, .infinity]] as [[Double]] {
      #expect(ColumnGuide.weighted(squares: squares) == nil)
    }
  }
}
