import CKernels
import Tensors

/// What this processor's instructions come to on one thread at most: multiply-adds of operands that stay in registers, the best of some
/// runs. No product with operands in memory is faster.
public struct InstructionPeaks: Sendable {
  /// GFLOP/s.
  public let f32: Double
  /// GFLOP/s of pairs of bf16; nil where there is no instruction for them.
  public let bf16: Double?
  /// GOP/s of bytes, by what multiplies codes of 4 bits, without the unpacking.
  public let dots: Double

  public init() {
    f32 = Self.rate { rounds in
      var sum: Float = 0
      return ck_repeat_fma(rounds, 1, 1, &sum)
    }
    bf16 =
      PairProduct.isFast
      ? Self.rate { rounds in
        var sum: Float = 0
        return ck_repeat_pairs(rounds, 0x3F80, 0x3F80, &sum)
      } : nil
    dots = Self.rate { rounds in
      var sum: Int64 = 0
      return ck_repeat_dots(rounds, 1, 1, &sum)
    }
  }

  /// Operations a nanosecond.
  /// - Parameter body: does so many rounds, and gives the multiply-adds of all.
  private static func rate(_ body: (_ rounds: Int) -> Int) -> Double {
    func time(_ rounds: Int) -> (rate: Double, nanoseconds: UInt64) {
      let start = MonotonicClock.nanoseconds
      let count = body(rounds)
      let nanoseconds = max(1, MonotonicClock.nanoseconds - start)
      return (Double(2 * count) / Double(nanoseconds), nanoseconds)
    }
    // Long enough for the clock, short enough that some run is not disturbed.
    var rounds = 1000
    while time(rounds).nanoseconds < 500_000 { rounds *= 2 }
    return (0..<15).map { _ in time(rounds).rate }.max()!
  }
}
