import Encodings
import Kernels
import Tensors
import TestSupport
import Testing

@Suite struct MatmulTests {
  private func product(
    _ coded: EncodedValues, _ values: [Float], rows: Int, threads: Int = 1
  ) throws -> [Float] {
    let activations = try values.withUnsafeBufferPointer {
      try QuantizedActivations($0, rowCount: rows, columns: coded.shape.columns)
    }
    var output = [Float](repeating: .nan, count: rows * coded.shape.rows)
    output.withUnsafeMutableBufferPointer { output in
      QuantizedMatmul.multiply(
        activations, codes: coded.matrix.planes[0], scales: coded.matrix.planes[1],
        bits: (coded.encoding as! GroupEncoding).bits, outputCount: coded.shape.rows, output: output,
        threadCount: threads)
    }
    return output
  }

  /// Rows that are multiplied together have the bits of each by itself, on any number of threads.
  @Test(arguments: [GroupEncoding.int8, .int4]) func rowsAndThreadsChangeNothing(encoding: GroupEncoding) throws {
    var generator = SeededGenerator(50)
    for (outputs, columns) in [(1, 1), (16, 32), (17, 33), (93, 100), (64, 256), (130, 65)] {
      let coded = try EncodedValues(generator.normals(outputs * columns), rows: outputs, columns: columns, encoding)
      for rows in [1, 2, 3, 5, 6, 7, 13] {
        let values = generator.normals(rows * columns)
        let expected = try (0..<rows).flatMap { row in
          try product(coded, Array(values[row * columns..<(row + 1) * columns]), rows: 1)
        }
        #expect(try product(coded, values, rows: rows) == expected, "\(rows) x \(outputs) x \(columns)")
        #expect(try product(coded, values, rows: rows, threads: 3) == expected)
      }
    }
  }

  @Test(arguments: [GroupEncoding.int8, .int4]) func theProductIsThatOfTheDecodedWeights(encoding: GroupEncoding) throws
  {
    var generator = SeededGenerator(51)
    let (outputs, columns, rows) = (40, 200, 3)
    let coded = try EncodedValues(generator.normals(outputs * columns), rows: outputs, columns: columns, encoding)
    let weights = coded.decoded()
    let values = generator.normals(rows * columns)
    let found = try product(coded, values, rows: rows)
    var (signal, noise) = (0.0, 0.0)
    for row in 0..<rows {
      for output in 0..<outputs {
        let exact = (0..<columns).reduce(0.0) {
          $0 + Double(values[row * columns + $1]) * Double(weights[output * columns + $1])
        }
        signal += exact * exact
        noise += (exact - Double(found[row * outputs + output])) * (exact - Double(found[row * outputs + output]))
      }
    }
    // Only the 8-bit activations lose anything: about 43 dB in groups of 32.
    #expect(signal / noise > 10_000)
  }

  @Test func zeroActivationsGiveZero() throws {
    var generator = SeededGenerator(52)
    let coded = try EncodedValues(generator.normals(20 * 64), rows: 20, columns: 64, .int4)
    #expect(try product(coded, [Float](repeating: 0, count: 64), rows: 1).allSatisfy { $0 == 0 })
  }
}
