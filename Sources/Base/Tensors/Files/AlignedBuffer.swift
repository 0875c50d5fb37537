import Glibc

/// Memory of fixed size that starts on a page: for direct input and output, and for SIMD loops. Freed with its owner.
public final class AlignedBuffer: @unchecked Sendable {
  // Unchecked: one worker writes at a time, by the design of its owner.
  public let bytes: UnsafeMutableRawBufferPointer

  /// - Throws: ``FileError/outOfMemory(byteCount:)``.
  public init(byteCount: Int) throws(FileError) {
    var base: UnsafeMutableRawPointer?
    guard posix_memalign(&base, 4096, max(byteCount, 1)) == 0, let base else {
      throw .outOfMemory(byteCount: byteCount)
    }
    bytes = UnsafeMutableRawBufferPointer(start: base, count: byteCount)
  }

  deinit { free(bytes.baseAddress) }
}
