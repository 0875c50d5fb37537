import Encodings
import Foundation
import Kernels
import Tensors
import Testing
import TestSupport

/// What data says of the columns makes outputs better, and costs nothing where it says nothing.
@Suite struct GuidedQuantizingTests {
  private static let rows = 48
  private static let columns = 128

  /// Second moments of 512 rows of inputs that 16 causes move, and a little noise: X = Z A + N.
  private static let moments: [Double] = {
    var generator = SeededGenerator(70)
    let (causes, count) = (16, 512)
    let mixing = generator.normals(causes * columns).map { Double($0) }
    var moments = [Double](repeating: 0, count: columns * columns)
    for _ in 0..<count {
      let z = generator.normals(causes)
      var x = generator.normals(columns).map { 0.05 * Double($0) }
      for cause in 0..<causes {
        for column in 0..<columns { x[column] += Double(z[cause]) * mixing[cause * columns + column] }
      }
      for i in 0..<columns {
        for j in 0..<columns { moments[i * columns + j] += x[i] * x[j] / Double(count) }
      }
    }
    return moments
  }()

  private static let weights: [Float] = {
    var generator = SeededGenerator(71)
    return generator.normals(rows * columns)
  }()

  /// The energy of what errors do to the outputs, tr(E M E^T).
  private func outputError(_ coded: EncodedValues) -> Double {
    let errors = zip(coded.decoded(), Self.weights).map { Double($0) - Double($1) }
    var sum = 0.0
    for row in 0..<Self.rows {
      let own = errors[row * Self.columns..<(row + 1) * Self.columns]
      for (i, a) in own.enumerated() {
        var product = 0.0
        for (j, b) in own.enumerated() { product += Self.moments[i * Self.columns + j] * b }
        sum += a * product
      }
    }
    return sum
  }

  private func coded(_ encoding: any Encoding, _ guide: ColumnGuide? = nil) throws -> EncodedValues {
    try EncodedValues(Self.weights, rows: Self.rows, columns: Self.columns, encoding, guide: guide)
  }

  /// Inputs go together, so that one column can make up for what another has lost: the better, the longer the blocks.
  @Test(
    .enabled(if: OpenBLAS.shared != nil, "factors come from LAPACK"),
    arguments: [BookEncoding.book3, .book4, GroupEncoding.int8, .int4] as [any Encoding])
  func feedbackLosesFarLessOfTheOutputs(encoding: any Encoding) throws {
    var last = outputError(try coded(encoding))
    for block in [32, 128] {
      let found = try #require(
        try ColumnGuide.feedback(columns: Self.columns, blockColumns: block, damping: 0.01) { range in
          range.flatMap { row in range.map { Self.moments[row * Self.columns + $0] } }
        })
      let error = outputError(try coded(encoding, found.guide))
      #expect(10 * log10(last / error) > 2, "\(encoding.name), blocks of \(block): \(last) to \(error)")
      last = error
    }
  }

  /// Columns that meet large inputs are rounded with more care.
  @Test(arguments: [BookEncoding.book3, .book4, GroupEncoding.int8, .int4] as [any Encoding])
  func weightedColumnsLoseLessWhereItCounts(encoding: any Encoding) throws {
    var generator = SeededGenerator(72)
    let squares = generator.normals(Self.columns).map { exp(2 * Double($0)) }
    let guide = try #require(ColumnGuide.weighted(squares: squares))
    func weighted(_ coded: EncodedValues) -> Double {
      zip(coded.decoded(), Self.weights).enumerated().reduce(0) { sum, item in
        let error = Double(item.element.0) - Double(item.element.1)
        return sum + error * error * squares[item.offset % Self.columns]
      }
    }
    let (plain, guided) = (weighted(try coded(encoding)), weighted(try coded(encoding, guide)))
    #expect(10 * log10(plain / guided) > 1, "\(encoding.name): \(plain) to \(guided)")
  }

  /// Where all columns count the same, the search is the one without data.
  @Test(arguments: BookEncodingTests.encodings) func equalColumnsChangeNothing(encoding: BookEncoding) throws {
    let guide = ColumnGuide(importance: [Float](repeating: 1, count: Self.columns))
    let (plain, guided) = (try coded(encoding), try coded(encoding, guide))
    for plane in 0..<3 { #expect(plain.bytes(plane) == guided.bytes(plane)) }
    #expect(plain.sums == guided.sums)
  }

  /// Groups with a scale of their own are searched by other sums with a guide, as well as without.
  @Test(arguments: [GroupEncoding.int8, .int4]) func equalColumnsCostNothing(encoding: GroupEncoding) throws {
    let guide = ColumnGuide(importance: [Float](repeating: 1, count: Self.columns))
    let (plain, guided) = (try coded(encoding), try coded(encoding, guide))
    #expect(guided.sums.sqnrDecibels > plain.sums.sqnrDecibels - 0.02)
  }

  /// Errors are recorded against the values as they were, not against what was left of them.
  @Test(.enabled(if: OpenBLAS.shared != nil, "factors come from LAPACK"), arguments: KnownEncodings.quantizing)
  func theRecordedErrorsAreThoseOfTheDecodedValues(encoding: any Encoding) throws {
    let found = try #require(
      try ColumnGuide.feedback(columns: Self.columns, blockColumns: 64, damping: 0.01) { range in
        range.flatMap { row in range.map { Self.moments[row * Self.columns + $0] } }
      })
    let result = try coded(encoding, found.guide)
    var difference = ValueDifference()
    Self.weights.withUnsafeBufferPointer { a in result.decoded().withUnsafeBufferPointer { difference.add(a, $0) } }
    #expect(abs(result.sums.sqnrDecibels - difference.sqnrDecibels) < 1e-9)
    #expect(Float(result.sums.largestError) == Float(difference.largestError))
  }
}
