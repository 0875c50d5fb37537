import Glibc
import Synchronization

/// A regular file that is open for reading at any offset, from any thread.
///
/// Reads are `pread` with a check of the count, so that a file which is cut while it is read gives an error and never a
/// signal. Pipes, devices and folders are refused without waiting. As long as a file is open, no output takes its place.
public final class ReadableFile: ByteSource {
  /// The path as the user named it.
  public let path: String
  /// Size in bytes when the file was opened.
  public let byteCount: Int
  let descriptor: Int32
  private let state: FileState
  private let isInput: Bool
  private let mapping = Mutex<MappedFile?>(nil)

  /// - Throws: ``FileError`` when the path is missing, not a regular file, or not permitted.
  public convenience init(path: String) throws(FileError) { try self.init(path: path, isInput: true) }

  /// - Parameter isInput: whether outputs must not take the file's place.
  init(path: String, isInput: Bool) throws(FileError) {
    let descriptor = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY)
    guard descriptor >= 0 else {
      switch errno {
      case ENOENT, ENOTDIR, ELOOP: throw .missing(path: path, code: errno)
      case EACCES, EPERM: throw .noPermission(path: path)
      case ENXIO: throw .notRegular(path: path, kind: "a pipe, device or socket")
      default: throw .cannotOpen(path: path, code: errno)
      }
    }
    var status = stat()
    guard fstat(descriptor, &status) == 0 else {
      let code = errno
      close(descriptor)
      throw .cannotOpen(path: path, code: code)
    }
    guard status.st_mode & S_IFMT == S_IFREG else {
      close(descriptor)
      throw .notRegular(path: path, kind: fileKind(status.st_mode))
    }
    self.path = path
    self.descriptor = descriptor
    state = FileState(status)
    byteCount = state.byteCount
    self.isInput = isInput
    if isInput { OpenedFiles.add(state.identity) }
  }

  deinit {
    if isInput { OpenedFiles.remove(state.identity) }
    close(descriptor)
  }

  /// Checks, at the end of the work, that the file is still what was opened, and that its path still leads to it.
  /// - Throws: ``FileError/changed(path:what:)``.
  public func checkUnchanged() throws(FileError) {
    var status = stat()
    guard fstat(descriptor, &status) == 0, FileState(status) == state else {
      throw .changed(path: path, what: "was written to")
    }
    try snapshot.check()
  }

  /// The file as it was when it was opened.
  public var snapshot: FileSnapshot { FileSnapshot(path: path, state: state) }

  /// Checks that the file has not become shorter than it must be. What may be annotated in place is else free to grow.
  public func checkHolds(_ needed: Int) throws(FileError) {
    var status = stat()
    guard fstat(descriptor, &status) == 0, Int(status.st_size) >= needed else {
      throw .shrank(path: path, offset: Int(status.st_size), expectedByteCount: needed)
    }
  }

  /// The file as memory: one mapping for all who ask.
  public func mapped() throws(FileError) -> MappedFile {
    try mapping.withLock { (held) throws(FileError) in
      if let held { return held }
      let mapping = try MappedFile(self)
      held = mapping
      return mapping
    }
  }

  /// Fills `buffer` with the bytes from `offset` on.
  /// - Throws: ``FileError/shrank(path:offset:expectedByteCount:)`` when the file ends before the buffer is full.
  public func read(at offset: Int, into buffer: UnsafeMutableRawBufferPointer) throws(FileError) {
    var done = 0
    while done < buffer.count {
      let count = pread(descriptor, buffer.baseAddress! + done, min(buffer.count - done, 1 << 30), offset + done)
      if count < 0 {
        if errno == EINTR { continue }
        throw .readFailed(path: path, offset: offset + done, code: errno)
      }
      guard count > 0 else {
        throw .shrank(path: path, offset: offset + done, expectedByteCount: offset + buffer.count)
      }
      done += count
    }
  }

  /// Tells the system that a range will be read soon.
  public func willNeed(offset: Int, count: Int) {
    _ = posix_fadvise(descriptor, off_t(offset), off_t(count), POSIX_FADV_WILLNEED)
  }

  /// Tells the system that a range will not be read again, so that it does not push other pages out.
  public func doneWith(offset: Int, count: Int) {
    _ = posix_fadvise(descriptor, off_t(offset), off_t(count), POSIX_FADV_DONTNEED)
  }
}
