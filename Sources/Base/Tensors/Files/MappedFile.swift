import CLinux
import Glibc

/// A file seen as memory: read only, shared with every other process that maps it.
///
/// Where the file becomes shorter, reads give zeros and ``isTorn`` tells so: ask after reading.
public final class MappedFile: Sendable {
  public let path: String
  public let byteCount: Int
  nonisolated(unsafe) private let base: UnsafeRawPointer?
  nonisolated(unsafe) private let slot: UnsafeMutableRawPointer?

  /// - Throws: ``FileError`` when the system refuses the mapping.
  public init(_ file: ReadableFile) throws(FileError) {
    path = file.path
    byteCount = file.byteCount
    guard byteCount > 0 else {
      base = nil
      slot = nil
      return
    }
    guard let mapped = mmap(nil, byteCount, PROT_READ, MAP_SHARED, file.descriptor, 0), mapped != MAP_FAILED else {
      throw .outOfMemory(byteCount: byteCount)
    }
    guard let slot = clinux_guard(mapped, byteCount) else {
      munmap(mapped, byteCount)
      throw .outOfMemory(byteCount: byteCount)
    }
    self.slot = slot
    base = UnsafeRawPointer(mapped)
  }

  deinit {
    guard let base else { return }
    clinux_release(slot)
    munmap(UnsafeMutableRawPointer(mutating: base), byteCount)
  }

  /// Whether a read has met pages that the file no longer has.
  public var isTorn: Bool { clinux_is_torn(slot) != 0 }

  /// The bytes of a range, valid as long as this object lives.
  /// - Precondition: the range lies within the file as it was when it was opened.
  public func bytes(at offset: Int, count: Int) -> UnsafeRawBufferPointer {
    precondition(offset >= 0 && count >= 0 && offset <= byteCount - count, "range outside the file")
    return UnsafeRawBufferPointer(start: base.map { $0 + offset }, count: count)
  }
}
