import CKernels
import Tensors

/// Statistics of a tensor's values, in one pass and constant memory.
///
/// Sums run in blocks of 4,096 elements counted from the tensor's start, so that the result does not depend on how
/// the caller cuts the stream, as long as cuts fall on blocks.
public struct ValueStatistics: Sendable, Equatable {
  /// Elements to a block: pieces given to ``add(_:dtype:)`` are multiples of it, save the last.
  public static let blockElementCount = 4096

  /// Smallest and largest finite value; +infinity and -infinity where there is none.
  public internal(set) var minimum = Double.infinity
  public internal(set) var maximum = -Double.infinity
  /// Sum of the squares of the finite values.
  public internal(set) var squareSum = 0.0
  public internal(set) var zeroCount = 0
  /// NaN and infinite values.
  public internal(set) var nonfiniteCount = 0
  public internal(set) var elementCount = 0

  public init() {}

  /// Whether values of this type can be told apart as numbers here.
  public static func isSupported(_ dtype: DType) -> Bool {
    switch dtype {
    case .bf16, .f16, .f32, .f64, .bool, .u8, .i8, .i16, .u16, .i32, .u32, .i64, .u64: true
    default: dtype.isReal
    }
  }

  /// Root of the mean square of the finite values; 0 for none.
  public var rms: Double {
    let finite = elementCount - nonfiniteCount
    return finite > 0 ? (squareSum / Double(finite)).squareRoot() : 0
  }

  /// Adds whole elements of type `dtype`. Types that are not supported are passed over.
  public mutating func add(_ bytes: UnsafeRawBufferPointer, dtype: DType) {
    guard Self.isSupported(dtype), let base = bytes.baseAddress else { return }
    let width = dtype.bitWidth / 8
    let count = bytes.count / width
    elementCount += count
    var start = 0
    while start < count {
      let length = min(Self.blockElementCount, count - start)
      addBlock(base + start * width, count: length, dtype: dtype)
      start += length
    }
  }

  private mutating func addBlock(_ base: UnsafeRawPointer, count: Int, dtype: DType) {
    switch dtype {
    case .bf16: accumulate { ck_stats_bf16(&$0, base.assumingMemoryBound(to: UInt16.self), count) }
    case .f16: accumulate { ck_stats_f16(&$0, base.assumingMemoryBound(to: UInt16.self), count) }
    case .f32: accumulate { ck_stats_f32(&$0, base.assumingMemoryBound(to: UInt32.self), count) }
    case .f64: addNumbers(base, count, Double.self) { $0 }
    case .bool, .u8: addNumbers(base, count, UInt8.self) { Double($0) }
    case .i8: addNumbers(base, count, Int8.self) { Double($0) }
    case .i16: addNumbers(base, count, Int16.self) { Double($0) }
    case .u16: addNumbers(base, count, UInt16.self) { Double($0) }
    case .i32: addNumbers(base, count, Int32.self) { Double($0) }
    case .u32: addNumbers(base, count, UInt32.self) { Double($0) }
    case .i64: addNumbers(base, count, Int64.self) { Double($0) }
    case .u64: addNumbers(base, count, UInt64.self) { Double($0) }
    case .f8E4M3, .f8E5M2, .f8E4M3FNUZ, .f8E5M2FNUZ:
      guard let table = Float8.table(dtype) else { return }
      addNumbers(base, count, UInt8.self) { Double(table[Int($0)]) }
    default: break
    }
  }

  private mutating func accumulate(_ body: (inout ck_stats) -> Void) {
    var stats = ck_stats(
      minimum: minimum, maximum: maximum, square_sum: squareSum, zero_count: UInt64(zeroCount),
      nonfinite_count: UInt64(nonfiniteCount))
    body(&stats)
    minimum = stats.minimum
    maximum = stats.maximum
    squareSum = stats.square_sum
    zeroCount = Int(stats.zero_count)
    nonfiniteCount = Int(stats.nonfinite_count)
  }

  private mutating func addNumbers<Number: BitwiseCopyable>(
    _ base: UnsafeRawPointer, _ count: Int, _: Number.Type, _ value: (Number) -> Double
  ) {
    for index in 0..<count {
      let number = value(base.loadUnaligned(fromByteOffset: index * MemoryLayout<Number>.stride, as: Number.self))
      guard number.isFinite else {
        nonfiniteCount += 1
        continue
      }
      minimum = min(minimum, number)
      maximum = max(maximum, number)
      squareSum += number * number
      if number == 0 { zeroCount += 1 }
    }
  }
}
