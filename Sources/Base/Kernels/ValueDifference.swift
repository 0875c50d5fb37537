import CKernels
import Tensors

/// How two runs of values differ, in one pass and constant memory. Sums are f64.
///
/// Elements of which either is NaN or infinite stay out of the sums; those whose bits differ are counted.
public struct ValueDifference: Sendable {
  private var sums = ck_diff()

  public init() {}

  /// Adds elements.
  /// - Parameters: `a` and `b` are `[count]` f32, of equal length.
  public mutating func add(_ a: UnsafeBufferPointer<Float>, _ b: UnsafeBufferPointer<Float>) {
    precondition(a.count == b.count, "runs of unequal length")
    guard let left = a.baseAddress, let right = b.baseAddress else { return }
    left.withMemoryRebound(to: UInt32.self, capacity: a.count) { left in
      right.withMemoryRebound(to: UInt32.self, capacity: b.count) { ck_diff_f32(&sums, left, $0, a.count) }
    }
  }

  public var elementCount: Int { Int(sums.element_count) }
  /// Elements whose bits differ.
  public var changedCount: Int { Int(sums.changed_count) }
  /// Elements that differ where one is NaN or infinite.
  public var nonfiniteMismatchCount: Int { Int(sums.nonfinite_mismatch_count) }
  public var largestError: Double { sums.largest_error }
  /// Index of the first element with the largest error, in row-major order.
  public var largestErrorIndex: Int { Int(sums.largest_error_index) }
  /// Energy of `a` over energy of the difference, in dB; infinite without difference.
  public var sqnrDecibels: Double { decibels(sums.square_a, over: sums.error_square) }
  public var cosine: Double { cosineOf(sums.product, sums.square_a, sums.square_b) }
  /// Norm of the difference over the norm of `a`.
  public var relativeFrobenius: Double {
    if sums.error_square == 0 { return 0 }
    return sums.square_a == 0 ? .infinity : (sums.error_square / sums.square_a).squareRoot()
  }
  /// Energies, to be added up over tensors.
  public var signalSquare: Double { sums.square_a }
  public var errorSquare: Double { sums.error_square }
}
