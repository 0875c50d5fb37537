import CKernels
import Tensors

/// Casts of real numbers to f32, f16 and bf16.
///
/// Widening is exact. Narrowing, also from f64, rounds to nearest, ties to even; values beyond the range become infinite; NaN stays
/// NaN (made quiet, upper payload bits kept).
public enum ElementCast {
  /// Casts `count` elements.
  /// - Parameters:
  ///   - source: `[count]` of `sourceType`, aligned to its elements.
  ///   - target: `[count]` of `targetType`, overwritten; may not overlap the source.
  ///   - scratch: `[count]` f32, used where neither side is f32.
  /// - Precondition: the source is real, the target castable, and the buffers are large enough.
  public static func cast(
    count: Int, from source: UnsafeRawPointer, _ sourceType: DType, to target: UnsafeMutableRawPointer,
    _ targetType: DType, scratch: UnsafeMutablePointer<Float>
  ) {
    precondition(sourceType.isReal && targetType.isCastable, "only real numbers are cast")
    if sourceType == targetType {
      target.copyMemory(from: source, byteCount: count * sourceType.bitWidth / 8)
    } else if targetType == .f32 {
      widen(count: count, from: source, sourceType, to: target.assumingMemoryBound(to: Float.self))
    } else if sourceType == .f32 {
      narrow(count: count, from: source.assumingMemoryBound(to: Float.self), to: target, targetType)
    } else {
      widen(count: count, from: source, sourceType, to: scratch)
      narrow(count: count, from: scratch, to: target, targetType)
    }
  }

  /// Turns `[count]` elements of a real type into f32: exactly, save for f64, which is rounded.
  public static func widen(
    count: Int, from source: UnsafeRawPointer, _ type: DType, to target: UnsafeMutablePointer<Float>
  ) {
    switch type {
    case .bf16: ck_widen_bf16_f32(target, source.assumingMemoryBound(to: UInt16.self), count)
    case .f16: ck_widen_f16_f32(target, source.assumingMemoryBound(to: UInt16.self), count)
    case .f64:
      for index in 0..<count {
        target[index] = Float(source.loadUnaligned(fromByteOffset: 8 * index, as: Double.self))
      }
    case .f8E4M3, .f8E5M2, .f8E4M3FNUZ, .f8E5M2FNUZ:
      guard let table = Float8.table(type) else { return }
      table.withUnsafeBufferPointer { table in
        for index in 0..<count { target[index] = table[Int(source.load(fromByteOffset: index, as: UInt8.self))] }
      }
    default: UnsafeMutableRawPointer(target).copyMemory(from: source, byteCount: count * 4)
    }
  }

  /// Narrows `[count]` f32 to f16 or bf16.
  public static func narrow(
    count: Int, from source: UnsafePointer<Float>, to target: UnsafeMutableRawPointer, _ type: DType
  ) {
    switch type {
    case .bf16: ck_narrow_f32_bf16(target.assumingMemoryBound(to: UInt16.self), source, count)
    case .f16: ck_narrow_f32_f16(target.assumingMemoryBound(to: UInt16.self), source, count)
    default: target.copyMemory(from: source, byteCount: count * 4)
    }
  }
}
