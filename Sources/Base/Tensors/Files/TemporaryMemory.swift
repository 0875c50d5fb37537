import Glibc

/// Memory of fixed size, zeros at first, that the system may keep in a temporary file: for sums that together are larger than a
/// machine's memory. It goes with this object.
public final class TemporaryMemory: @unchecked Sendable {
  // Unchecked: its owner decides who writes.
  public let bytes: UnsafeMutableRawBufferPointer

  /// - Throws: ``FileError`` where the folder for temporary files has no room.
  public init(byteCount: Int) throws(FileError) {
    let space = TemporarySpace()
    try space.require(byteCount)
    let descriptor = try space.descriptor()
    // Room is taken now: a page that finds none later would end the program.
    let code = posix_fallocate(descriptor, 0, off_t(max(1, byteCount)))
    guard code == 0 else { throw .writeFailed(path: "a temporary file", code: code) }
    guard let base = mmap(nil, max(1, byteCount), PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0),
      base != MAP_FAILED
    else { throw .outOfMemory(byteCount: byteCount) }
    bytes = UnsafeMutableRawBufferPointer(start: base, count: byteCount)
    // The mapping keeps the file when its descriptor is closed, and not before.
    withExtendedLifetime(space) {}
  }

  deinit { munmap(bytes.baseAddress, max(1, bytes.count)) }
}
