import Foundation

/// By the C library, in f64.
extension Twin {
  static func exponential(_ x: Float) -> Double { exp(Double(x)) }
  static func silu(_ x: Float) -> Double { Double(x) / (1 + exp(-Double(x))) }
  static func gelu(_ x: Float) -> Double { Double(x) / 2 * erfc(-Double(x) / 2.0.squareRoot()) }

  static func geluTanh(_ x: Float) -> Double {
    let x = Double(x)
    return x / 2 * (1 + tanh((2 / Double.pi).squareRoot() * (x + 0.044715 * x * x * x)))
  }

  static func siluGate(_ gate: Float, _ value: Float) -> Double { silu(gate) * Double(value) }
  static func geluGate(_ gate: Float, _ value: Float) -> Double { gelu(gate) * Double(value) }
}
