import CKernels
import TestSupport

/// A run of elements of one of the types that kernels read.
struct Elements {
  /// The type as the C functions have it.
  let dtype: Int32
  /// As they lie in memory.
  let bytes: [UInt8]
  /// Widened by the twins.
  let values: [Float]

  static let types = [Int32(CK_F32), Int32(CK_F16), Int32(CK_BF16)]

  init(_ values: [Float]) {
    dtype = Int32(CK_F32)
    bytes = values.withUnsafeBytes { Array($0) }
    self.values = values
  }

  init(halves: [UInt16], _ dtype: Int32) {
    self.dtype = dtype
    bytes = halves.withUnsafeBytes { Array($0) }
    values = halves.map(dtype == Int32(CK_F16) ? Twin.widenF16 : Twin.widenBF16)
  }

  /// Values rounded to a type.
  init(_ values: [Float], _ dtype: Int32) {
    if dtype == Int32(CK_F32) {
      self.init(values)
    } else {
      self.init(halves: values.map(dtype == Int32(CK_F16) ? Twin.narrowF16 : Twin.narrowBF16), dtype)
    }
  }

  /// Any bits at all, NaN and infinity among them.
  static func anyBits(_ count: Int, _ dtype: Int32, _ generator: inout SeededGenerator) -> Elements {
    if dtype == Int32(CK_F32) { return Elements(anyFloats(count, &generator)) }
    return Elements(halves: anyHalves(count, &generator), dtype)
  }

  static func anyFloats(_ count: Int, _ generator: inout SeededGenerator) -> [Float] {
    (0..<count).map { _ in Float(bitPattern: UInt32(truncatingIfNeeded: generator.next())) }
  }

  static func anyHalves(_ count: Int, _ generator: inout SeededGenerator) -> [UInt16] {
    (0..<count).map { _ in UInt16(truncatingIfNeeded: generator.next()) }
  }
}
