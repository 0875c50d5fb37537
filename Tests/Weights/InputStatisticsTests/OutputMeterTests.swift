import Encodings
import Foundation
import InputStatistics
import Tensors
import Testing
import TestSupport

/// The energy of the errors of outputs, from sums alone, is what multiplying the inputs one by one gives.
@Suite struct OutputMeterTests {
  /// Weights, and what became of them.
  private struct Matrix {
    let weights: [Float]
    let decoded: [Float]
    let rows: Int

    init(_ rows: Int, _ columns: Int, _ generator: inout SeededGenerator) {
      self.rows = rows
      weights = generator.normals(rows * columns)
      decoded = zip(weights, generator.normals(rows * columns)).map { $0 + 0.05 * $1 }
    }

    var columns: Int { weights.count / rows }
    var errors: [Double] { zip(decoded, weights).map { Double($0 - $1) } }

    func metered(by meter: OutputMeter) -> OutputMeter.Sums {
      var sums = OutputMeter.Sums()
      var spoilt = decoded
      meter.add(weights, &spoilt, rows: rows, to: &sums)
      return sums
    }
  }

  /// The mean over inputs of the energy of their products with some columns of a matrix.
  /// - Parameter columns: of the inputs; they meet those of the matrix from `offset` on.
  private func energy(
    _ matrix: [Double], rows: Int, _ inputs: InputRows, _ columns: Range<Int>, offset: Int = 0
  ) -> Double {
    let width = matrix.count / rows
    var sum = 0.0
    for input in 0..<inputs.rowCount {
      for row in 0..<rows {
        var output = 0.0
        for column in columns {
          output += matrix[row * width + offset + column] * Double(inputs.values[input * inputs.columns + column])
        }
        sum += output * output
      }
    }
    return sum / Double(inputs.rowCount)
  }

  private func expectNear(_ found: OutputMeter.Sums, energy: Double, error: Double, _ comment: Comment) {
    #expect(abs(found.energy / energy - 1) < 1e-4, comment)
    #expect(abs(found.error / error - 1) < 1e-4, comment)
    #expect(abs(found.sqnrDecibels - 10 * log10(energy / error)) < 1e-3, comment)
  }

  private func shape(_ rows: Int, _ columns: Int, taps: Int = 1, _ order: TileLayout.ColumnOrder = .source)
    -> EncodedShape
  {
    EncodedShape(MatrixShape(rows: rows, columns: columns, taps: taps), dtype: .f32, order: order)
  }

  /// Columns of different blocks count as unrelated.
  @Test(arguments: [(1, 32), (5, 32), (70, 96), (70, 32), (100, 64), (64, 64)])
  func errorsOfALinearMatrixAreThoseOfItsOutputs(columns: Int, block: Int) throws {
    var generator = SeededGenerator(UInt64(columns + block))
    let inputs = InputRows(300, columns, &generator)
    let matrix = Matrix(5, columns, &generator)
    let folder = TemporaryFolder()
    let file = try folder.statistics(["w": .of([inputs], block: block)])
    let meter = try #require(try OutputMeter(file, "w", shape(5, columns)))
    let weights = matrix.weights.map { Double($0) }
    var (whole, lost) = (0.0, 0.0)
    for first in stride(from: 0, to: columns, by: block) {
      let range = first..<min(columns, first + block)
      whole += energy(weights, rows: 5, inputs, range)
      lost += energy(matrix.errors, rows: 5, inputs, range)
    }
    expectNear(matrix.metered(by: meter), energy: whole, error: lost, "\(columns) columns, blocks of \(block)")
  }

  /// Taps of a kernel meet the same channels, each at another place: they count as unrelated.
  @Test func tapsOfAKernelShareItsChannels() throws {
    var generator = SeededGenerator(92)
    let (channels, taps, rows) = (48, 9, 4)
    let inputs = InputRows(200, channels, &generator)
    let matrix = Matrix(rows, channels * taps, &generator)
    let folder = TemporaryFolder()
    let file = try folder.statistics(["w": .of([inputs], block: 64)])
    let meter = try #require(try OutputMeter(file, "w", shape(rows, channels * taps, taps: taps, .tapMajor)))
    let weights = matrix.weights.map { Double($0) }
    var (whole, lost) = (0.0, 0.0)
    for tap in 0..<taps {
      whole += energy(weights, rows: rows, inputs, 0..<channels, offset: tap * channels)
      lost += energy(matrix.errors, rows: rows, inputs, 0..<channels, offset: tap * channels)
    }
    expectNear(matrix.metered(by: meter), energy: whole, error: lost, "tap after tap")
  }

  /// Where nothing but squares is known, or a channel's taps lie side by side, columns count as unrelated.
  @Test func columnsOfWhichSquaresAloneAreKnownCountForThemselves() throws {
    var generator = SeededGenerator(93)
    for (channels, taps, block) in [(40, 1, 0), (8, 9, 32)] {
      let inputs = InputRows(100, channels, &generator)
      let matrix = Matrix(3, channels * taps, &generator)
      let folder = TemporaryFolder()
      let file = try folder.statistics(["w": .of([inputs], block: block)])
      let meter = try #require(try OutputMeter(file, "w", shape(3, channels * taps, taps: taps)))
      let moments = inputs.moments
      func energy(_ values: [Double]) -> Double {
        values.enumerated().reduce(0) { sum, item in
          let channel = item.offset % (channels * taps) / taps
          return sum + item.element * item.element * moments[channel * (channels + 1)] / 100
        }
      }
      expectNear(
        matrix.metered(by: meter), energy: energy(matrix.weights.map { Double($0) }), error: energy(matrix.errors),
        "\(channels) channels, \(taps) taps")
    }
  }

  @Test func equalWeightsLoseNothing() throws {
    var generator = SeededGenerator(94)
    let folder = TemporaryFolder()
    let file = try folder.statistics(["w": .of([InputRows(50, 40, &generator)], block: 32)])
    let meter = try #require(try OutputMeter(file, "w", shape(2, 40)))
    let weights = generator.normals(80)
    var (same, sums) = (weights, OutputMeter.Sums())
    meter.add(weights, &same, rows: 2, to: &sums)
    #expect(sums.error == 0 && sums.energy > 0 && sums.sqnrDecibels == .infinity)
  }

  @Test func thereIsNoMeterForWhatWasNeverSeen() throws {
    var generator = SeededGenerator(95)
    let folder = TemporaryFolder()
    let file = try folder.statistics(["w": .of([InputRows(50, 40, &generator)], block: 32)])
    #expect(try OutputMeter(file, "other", shape(2, 40)) == nil)
  }
}
