import CKernels
import Tensors

/// Plain reads of memory: what a product of one row can at best reach.
public enum MemoryRead {
  /// Reads all bytes, in whole runs of 256, and gives a word that depends on them.
  @discardableResult public static func touch(_ bytes: UnsafeRawBufferPointer) -> UInt64 {
    ck_read_memory(bytes.baseAddress, bytes.count / 256 * 256)
  }

  /// Bytes a second that threads read together: the best of several runs over more memory than caches hold.
  /// - Throws: ``FileError/outOfMemory(byteCount:)``.
  public static func rate(threadCount: Int, byteCount: Int = 1 << 30) throws(FileError) -> Double {
    let buffer = try AlignedBuffer(byteCount: byteCount)
    buffer.bytes.initializeMemory(as: UInt8.self, repeating: 1)
    let part = byteCount / threadCount
    let best = (0..<7).map { _ in
      let start = MonotonicClock.nanoseconds
      Workers.share(partCount: threadCount) { number in
        touch(UnsafeRawBufferPointer(rebasing: buffer.bytes[number * part..<(number + 1) * part]))
      }
      return MonotonicClock.nanoseconds - start
    }.min()!
    return Double(part * threadCount) / Double(max(1, best)) * 1e9
  }
}
