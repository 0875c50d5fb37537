import Kernels
import Quantization
import Tensors
import TestSupport
import Testing

@Suite struct MatmulTests {
  private func product(
    _ coded: Coded, _ values: [Float], rows: Int, threads: Int = 1, useScalar: Bool = false
  ) throws -> [Float] {
    let activations = try values.withUnsafeBufferPointer {
      try QuantizedActivations($0, rowCount: rows, columns: coded.columns)
    }
    var output = [Float](repeating: .nan, count: rows * coded.rows)
    output.withUnsafeMutableBufferPointer { output in
      coded.codes.withUnsafeBytes { codes in
        coded.scales.withUnsafeBytes { scales in
          QuantizedMatmul.multiply(
            activations, codes: codes, scales: scales, bits: coded.encoding.bits, outputCount: coded.rows,
            output: output, threadCount: threads, useScalar: useScalar)
        }
      }
    }
    return output
  }

  @Test(arguments: GroupEncoding.all) func theFastPathEqualsTheScalarTwinBitForBit(encoding: GroupEncoding) throws {
    var generator = SeededGenerator(50)
    for (outputs, columns) in [(1, 1), (16, 32), (17, 33), (93, 100), (64, 256), (130, 65)] {
      let coded = Coded(generator.normals(outputs * columns), rows: outputs, columns: columns, encoding)
      for rows in [1, 2, 3, 5, 6, 7, 13] {
        let values = generator.normals(rows * columns)
        let expected = try product(coded, values, rows: rows, useScalar: true)
        #expect(try product(coded, values, rows: rows) == expected, "\(rows) x \(outputs) x \(columns)")
        #expect(try product(coded, values, rows: rows, threads: 3) == expected)
      }
    }
  }

  @Test(arguments: GroupEncoding.all) func theProductIsThatOfTheDecodedWeights(encoding: GroupEncoding) throws {
    var generator = SeededGenerator(51)
    let (outputs, columns, rows) = (40, 200, 3)
    let coded = Coded(generator.normals(outputs * columns), rows: outputs, columns: columns, encoding)
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
    let coded = Coded(generator.normals(20 * 64), rows: 20, columns: 64, .int4)
    #expect(try product(coded, [Float](repeating: 0, count: 64), rows: 1).allSatisfy { $0 == 0 })
  }
}
