import Foundation
import Kernels
import Testing

@Suite struct ElementwiseTests {
  private func applied(_ function: Elementwise.Function, _ x: [Float]) -> [Float] {
    var y = x
    y.withUnsafeMutableBufferPointer { Elementwise.apply(function, to: $0) }
    return y
  }

  /// Known answers are the C library's in f64.
  @Test func functionsAreWithinAFewUnitsOfTheTruth() {
    let x = (0..<20_001).map { Float(-20 + Double($0) * 0.002) }
    let truths: [(Elementwise.Function, (Double) -> Double)] = [
      (.exponential, { exp($0) }), (.silu, { $0 / (1 + exp(-$0)) }),
      (.gelu, { $0 / 2 * erfc(-$0 / 2.0.squareRoot()) }),
      (.geluTanh, { $0 / 2 * (1 + tanh((2 / Double.pi).squareRoot() * ($0 + 0.044715 * $0 * $0 * $0))) }),
    ]
    for (function, truth) in truths {
      for (input, value) in zip(x, applied(function, x)) {
        let expected = truth(Double(input))
        #expect(abs(Double(value) - expected) <= 4e-7 * max(1, abs(expected)), "\(function) of \(input)")
      }
    }
  }

  @Test func notANumberStaysNotANumber() {
    for function in [Elementwise.Function.exponential, .silu, .gelu, .geluTanh] {
      let values = applied(function, [Float](repeating: .nan, count: 17))
      #expect(values.allSatisfy { $0.isNaN })
    }
  }

  @Test func nonFiniteValuesAreCounted() {
    var x = [Float](repeating: 1, count: 1000)
    x[3] = .nan
    x[500] = .infinity
    x[999] = -.infinity
    #expect(x.withUnsafeBufferPointer(Elementwise.nonFiniteCount) == 3)
    #expect([Float.greatestFiniteMagnitude, 0].withUnsafeBufferPointer(Elementwise.nonFiniteCount) == 0)
  }
}
