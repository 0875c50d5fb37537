import CKernels
import Glibc

/// Functions of single values over runs of f32, in place.
public enum Elementwise {
  public typealias Values = UnsafeMutableBufferPointer<Float>

  /// Functions that a network applies value by value.
  public enum Function: Sendable {
    /// x / (1 + e^-x).
    case silu
    /// x times the normal distribution's cumulative function, by erf.
    case gelu
    /// The same by the tanh approximation.
    case geluTanh
    /// e^x, within 2 units in the last place.
    case exponential
    /// By the C library.
    case tanh
  }

  public static func apply(_ function: Function, to x: Values) {
    guard let base = x.baseAddress else { return }
    switch function {
    case .silu: ck_silu(base, x.count)
    case .gelu: ck_gelu(base, x.count)
    case .geluTanh: ck_gelu_tanh(base, x.count)
    case .exponential: ck_exp(base, x.count)
    case .tanh: for index in x.indices { x[index] = tanhf(x[index]) }
    }
  }

  /// `out[i] = silu(gate[i]) * value[i]`; out may be gate or value.
  public static func siluGate(
    out: UnsafeMutablePointer<Float>, gate: UnsafePointer<Float>, value: UnsafePointer<Float>, count: Int
  ) { ck_silu_gate(out, gate, value, count) }

  /// `out[i] = gelu(gate[i]) * value[i]`, GELU by erf; out may be gate or value.
  public static func geluGate(
    out: UnsafeMutablePointer<Float>, gate: UnsafePointer<Float>, value: UnsafePointer<Float>, count: Int
  ) { ck_gelu_gate(out, gate, value, count) }

  /// `x[i] += y[i]`.
  public static func add(_ y: UnsafePointer<Float>, to x: UnsafeMutablePointer<Float>, count: Int) {
    ck_sum_two(x, x, y, count)
  }

  /// `out[i] = x[i] + y[i]`; out may be one of them.
  public static func sum(
    _ x: UnsafePointer<Float>, _ y: UnsafePointer<Float>, into out: UnsafeMutablePointer<Float>, count: Int
  ) { ck_sum_two(out, x, y, count) }

  /// `out[i] = (x[i] + y[i]) + z[i]`; out may be one of them.
  public static func sum(
    _ x: UnsafePointer<Float>, _ y: UnsafePointer<Float>, _ z: UnsafePointer<Float>,
    into out: UnsafeMutablePointer<Float>, count: Int
  ) { ck_sum_three(out, x, y, z, count) }

  /// `x[i] += y[i] * factor[i]`.
  public static func add(
    _ y: UnsafePointer<Float>, times factor: UnsafePointer<Float>, to x: UnsafeMutablePointer<Float>, count: Int
  ) { ck_multiply_add(x, y, factor, count) }

  /// `x[i] = p * x[i] + q * y[i]`.
  public static func combine(
    _ x: UnsafeMutablePointer<Float>, times p: Float, with y: UnsafePointer<Float>, times q: Float, count: Int
  ) { ck_combine(x, p, y, q, count) }

  /// Turns `x[i]` and `x[half + i]` by the angle whose cosine and sine are given.
  public static func rotateHalves(
    _ x: UnsafeMutablePointer<Float>, cosine: UnsafePointer<Float>, sine: UnsafePointer<Float>, half: Int
  ) { ck_rotate_halves(x, cosine, sine, half) }

  /// Turns `x[2 i]` and `x[2 i + 1]` by the angle whose cosine and sine are given.
  public static func rotatePairs(
    _ x: UnsafeMutablePointer<Float>, cosine: UnsafePointer<Float>, sine: UnsafePointer<Float>, half: Int
  ) { ck_rotate_pairs(x, cosine, sine, half) }

  /// How many values are infinite or NaN.
  public static func nonFiniteCount(_ x: UnsafeBufferPointer<Float>) -> Int {
    guard let base = x.baseAddress else { return 0 }
    return Int(ck_count_nonfinite(base, x.count))
  }
}
