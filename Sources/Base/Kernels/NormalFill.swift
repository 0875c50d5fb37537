import CKernels
import Glibc

/// Synthetic weights: normal deviates that depend only on a key and the element's index.
public struct NormalFill: Sendable {
  /// 65,536 equally likely quantiles of N(0,1): the midpoint of each, f32.
  private let quantiles: [Float]

  public init() {
    quantiles = (0..<65536).map { Float(Self.quantile((Double($0) + 0.5) / 65536)) }
  }

  /// Writes bf16 values `normal(key, index) * scale * columnScale[i]`.
  /// - Parameters:
  ///   - out: `[count]` bf16, overwritten.
  ///   - firstIndex: index of the first element in the tensor.
  ///   - columnScale: `[count]` f32.
  public func fill(
    _ out: UnsafeMutablePointer<UInt16>, count: Int, key: UInt64, firstIndex: Int, scale: Float,
    columnScale: UnsafePointer<Float>
  ) {
    quantiles.withUnsafeBufferPointer {
      ck_fill_normal_bf16(out, count, key, UInt64(firstIndex), $0.baseAddress, scale, columnScale)
    }
  }

  /// Inverse of the normal distribution function, by Newton's method on erfc: exact to double precision.
  private static func quantile(_ p: Double) -> Double {
    var x = p < 0.5 ? -(-2 * log(p)).squareRoot() : (-2 * log(1 - p)).squareRoot()
    for _ in 0..<60 {
      let error = 0.5 * erfc(-x / 2.0.squareRoot()) - p
      let density = exp(-x * x / 2) / (2 * Double.pi).squareRoot()
      let step = error / density
      // The density is small in the tails: keep the step within reason.
      x -= max(-0.5, min(0.5, step))
      if abs(step) < 1e-15 { break }
    }
    return x
  }
}
