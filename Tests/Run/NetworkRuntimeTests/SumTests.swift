import Kernels
import NetworkRuntime
import Testing
import TestSupport

/// Sums are as exact as PyTorch's. The figures are what torch 2.13.0 on a CPU with AVX-512 errs against f64 on normal inputs
/// (`benchmarks/sums.py`; root mean square of the error, as a part of that of the result): at most 1.5 times that is
/// allowed, and where bias or residual is 100 times the product, they are no excuse.
@Suite struct SumTests {
  private static func error(_ y: [Float], _ truth: [Double]) -> Double {
    let square = zip(y, truth).reduce(0.0) { $0 + (Double($1.0) - $1.1) * (Double($1.0) - $1.1) }
    return (square / truth.reduce(0.0) { $0 + $1 * $1 }).squareRoot()
  }

  struct Case: Sendable, CustomTestStringConvertible {
    let inputs, rows: Int
    let plain, bias, residual: Double
    var testDescription: String { "\(inputs) inputs, \(rows) rows" }
  }

  private static let cases = [
    Case(inputs: 3584, rows: 1, plain: 3.17e-7, bias: 2.75e-8, residual: 2.09e-8),
    Case(inputs: 3584, rows: 16, plain: 3.49e-7, bias: 5.76e-8, residual: 2.49e-8),
    Case(inputs: 18_944, rows: 1, plain: 5.87e-7, bias: 3.12e-8, residual: 2.1e-8),
    Case(inputs: 18_944, rows: 16, plain: 3.45e-7, bias: 1.39e-7, residual: 2.46e-8),
    Case(inputs: 65_536, rows: 1, plain: 1.07e-6, bias: 3.47e-8, residual: 2.75e-8),
    Case(inputs: 65_536, rows: 16, plain: 3.82e-7, bias: 2.41e-7, residual: 2.51e-8),
  ]

  @Test(arguments: cases, [ProductEngine.blocked, .openblas]) func products(_ c: Case, engine: ProductEngine) throws {
    let outputs = 64
    var generator = SeededGenerator(UInt64(c.inputs + c.rows))
    let (x, w) = (generator.normals(c.rows * c.inputs), generator.normals(outputs * c.inputs))
    let size = 100 * Float(c.inputs).squareRoot()
    let bias = generator.normals(outputs).map { $0 * size }
    let residual = generator.normals(c.rows * outputs).map { $0 * size }
    let product = (0..<c.rows * outputs).map { index in
      let (row, output) = (index / outputs * c.inputs, index % outputs * c.inputs)
      return (0..<c.inputs).reduce(0.0) { $0 + Double(x[row + $1]) * Double(w[output + $1]) }
    }
    func y(_ bias: [Float]?, _ residual: [Float]?, inPlace: Bool = false) throws -> [Float] {
      let layer = Linear(
        path: "l", weight: try weight(w, outputs: outputs, inputs: c.inputs), bias: try bias.map(vector))
      return try execute(engine: engine) { run in
        let input = run.input(x, width: c.rows, channels: c.inputs)
        let rest = residual.map { run.input($0, width: c.rows, channels: outputs) }
        let out = inPlace ? rest! : run.take(width: c.rows, channels: outputs)
        try run.linear(layer, input, plus: rest, into: out)
        return run.array(out)
      }
    }
    #expect(try Self.error(y(nil, nil), product) <= 1.5 * c.plain)
    let withBias = product.enumerated().map { $1 + Double(bias[$0 % outputs]) }
    #expect(try Self.error(y(bias, nil), withBias) <= 1.5 * c.bias)
    let withResidual = zip(product, residual).map { $0 + Double($1) }
    let added = try y(nil, residual)
    #expect(Self.error(added, withResidual) <= 1.5 * c.residual)
    #expect(try y(nil, residual, inPlace: true) == added)
  }

  @Test func convolutionOf1280Channels() throws {
    let (channels, outputs, side) = (1280, 40, 12)
    var generator = SeededGenerator(1280)
    let x = generator.normals(side * side * channels)
    let w = generator.normals(outputs * channels * 9)
    let size = 100 * Float(channels * 9).squareRoot()
    let bias = generator.normals(outputs).map { $0 * size }
    let residual = generator.normals(side * side * outputs).map { $0 * size }
    var product = [Double](repeating: 0, count: side * side * outputs)
    for pixel in 0..<side * side {
      for tap in 0..<9 {
        let (row, column) = (pixel / side + tap / 3 - 1, pixel % side + tap % 3 - 1)
        guard (0..<side).contains(row), (0..<side).contains(column) else { continue }
        for output in 0..<outputs {
          var sum = 0.0
          for channel in 0..<channels {
            sum +=
              Double(x[(row * side + column) * channels + channel]) * Double(w[(output * channels + channel) * 9 + tap])
          }
          product[pixel * outputs + output] += sum
        }
      }
    }
    func y(_ bias: [Float], _ residual: [Float]?, threads: Int = 2) throws -> [Float] {
      let source = OneConvolution(weight: w, bias: bias, inputs: channels * 9)
      let layer = try Convolution(source, "c", channels: channels, outputs: outputs)
      return try execute(threads: threads) { run in
        let input = run.input(x, height: side, width: side, channels: channels)
        let rest = residual.map { run.input($0, height: side, width: side, channels: outputs) }
        let out = rest ?? run.take(height: side, width: side, channels: outputs)
        try run.convolve(layer, ConvolutionInput(input), plus: rest, into: out)
        return run.array(out)
      }
    }
    let zero = [Float](repeating: 0, count: outputs)
    #expect(try Self.error(y(zero, nil), product) <= 1.5 * 2.64e-7)
    let withBias = product.enumerated().map { $1 + Double(bias[$0 % outputs]) }
    #expect(try Self.error(y(bias, nil), withBias) <= 1.5 * 2.5e-8)
    let withResidual = zip(product, residual).map { $0 + Double($1) }
    let added = try y(zero, residual)
    #expect(Self.error(added, withResidual) <= 1.5 * 2.5e-8)
    #expect(try y(zero, residual, threads: 5) == added)
  }
}

/// A convolution's two tensors.
private struct OneConvolution: WeightSource {
  let path = "memory"
  let weight: [Float]
  let bias: [Float]
  let inputs: Int

  func weight(_ name: String, shape: [Int]) throws -> Weight {
    try NetworkRuntimeTests.weight(weight, outputs: shape[0], inputs: inputs)
  }

  func vector(_ name: String, shape: [Int]) throws -> Vector { try NetworkRuntimeTests.vector(bias) }
  func has(_ name: String) -> Bool { true }
}
