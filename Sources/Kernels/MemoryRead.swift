import CKernels

/// Plain reads of memory: what a product of one row can at best reach.
public enum MemoryRead {
  /// Reads all bytes, in whole runs of 256, and gives a word that depends on them.
  @discardableResult public static func touch(_ bytes: UnsafeRawBufferPointer) -> UInt64 {
    ck_read_memory(bytes.baseAddress, bytes.count / 256 * 256)
  }
}
