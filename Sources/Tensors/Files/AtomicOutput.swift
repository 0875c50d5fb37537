import CLinux
import Glibc

/// The name under which an output grows until it is whole: `.NAME.PID.partial` in the target folder.
///
/// The maker holds a lock on it. A later run removes those that no live process has locked.
struct PartialName {
  let folder: String
  let target: String
  let partial: String

  init(target path: String) throws(FileError) {
    let (folder, name) = Folder.split(path)
    guard !name.isEmpty, name != ".", name != "..", name != "/" else {
      throw .badOutput(path: path, reason: "is not a name for an output")
    }
    guard Folder.exists(folder) else {
      throw .badOutput(path: path, reason: "its folder '\(printable(folder))' does not exist")
    }
    self.folder = folder
    target = path
    partial = Folder.join(folder, ".\(name).\(getpid()).partial")
  }

  /// Names of earlier attempts at the same target.
  func earlierAttempts() throws(FileError) -> [String] {
    let name = Folder.split(target).name
    return try Folder.names(in: folder).filter { candidate in
      guard candidate.hasPrefix(".\(name)."), candidate.hasSuffix(".partial") else { return false }
      let middle = candidate.dropFirst(name.count + 2).dropLast(8)
      return !middle.isEmpty && middle.allSatisfy(\.isNumber)
    }.map { Folder.join(folder, $0) }
  }

  func syncFolder() throws(FileError) {
    let descriptor = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard descriptor >= 0 else { return }
    defer { close(descriptor) }
    // Some file systems cannot sync a folder; that is not a failure of this output.
    if fsync(descriptor) != 0 && errno == EIO { throw .writeFailed(path: target, code: errno) }
  }
}

/// A file that appears under its name only when it is whole: written beside it, synced, then renamed over it.
///
/// Writes may come from several threads, each to its own range.
public final class AtomicOutputFile: @unchecked Sendable {
  // Unchecked: the state changes only in init, commit and discard, which the one owner calls.
  public let path: String
  private let name: PartialName
  private let descriptor: Int32
  private var isFinished = false

  /// Creates the partial file, after removing what dead processes left of the same target.
  /// - Throws: ``FileError`` when the target is a folder or special file, its folder is missing, or creation fails.
  public init(path: String) throws(FileError) {
    signal(SIGXFSZ, SIG_IGN)  // so that a size limit is an error and not the end of the process
    var status = stat()
    if stat(path, &status) == 0, status.st_mode & S_IFMT != S_IFREG {
      throw .badOutput(path: path, reason: "is \(fileKind(status.st_mode)), not a file that can be replaced")
    }
    name = try PartialName(target: path)
    self.path = path
    for stale in try name.earlierAttempts() { Self.removeIfUnlocked(stale) }
    descriptor = open(name.partial, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o666)
    guard descriptor >= 0 else {
      throw .cannotCreate(path: path, code: errno, reason: "the output cannot be created")
    }
    _ = flock(descriptor, LOCK_EX | LOCK_NB)
  }

  deinit { discard() }

  private static func removeIfUnlocked(_ path: String) {
    let descriptor = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC)
    guard descriptor >= 0 else { return }
    if flock(descriptor, LOCK_EX | LOCK_NB) == 0 { unlink(path) }
    close(descriptor)
  }

  /// Makes room on the disk, so that a full disk is told before the work and not at its end.
  public func reserve(byteCount: Int) throws(FileError) {
    let code = fallocate(descriptor, 0, 0, max(byteCount, 1))
    if code != 0 && errno != EOPNOTSUPP && errno != ENOSYS && errno != EINTR {
      throw .writeFailed(path: path, code: errno)
    }
  }

  public func write(_ bytes: UnsafeRawBufferPointer, at offset: Int) throws(FileError) {
    var done = 0
    while done < bytes.count {
      let count = pwrite(descriptor, bytes.baseAddress! + done, min(bytes.count - done, 1 << 30), off_t(offset + done))
      if count < 0 {
        if errno == EINTR { continue }
        throw .writeFailed(path: path, code: errno)
      }
      done += count
    }
  }

  public func write(_ bytes: [UInt8], at offset: Int) throws(FileError) {
    // A closure in withUnsafeBytes loses the typed error, hence the result.
    let result: Result<Void, FileError> = bytes.withUnsafeBytes { buffer in
      do throws(FileError) { return .success(try write(buffer, at: offset)) } catch { return .failure(error) }
    }
    try result.get()
  }

  /// Lets the system begin to write a range to the disk, without waiting.
  public func startWriting(offset: Int, count: Int) {
    _ = sync_file_range(descriptor, offset, count, BANTAM_SYNC_FILE_RANGE_WRITE)
  }

  /// Cuts or extends to exactly `byteCount`, syncs, and gives the file its name.
  public func commit(byteCount: Int) throws(FileError) {
    guard ftruncate(descriptor, off_t(byteCount)) == 0, fsync(descriptor) == 0 else {
      let code = errno
      discard()
      throw .writeFailed(path: path, code: code)
    }
    guard rename(name.partial, path) == 0 else {
      let code = errno
      discard()
      throw .cannotCreate(path: path, code: code, reason: "the finished output cannot take its name")
    }
    isFinished = true
    guard close(descriptor) == 0 else { throw .writeFailed(path: path, code: errno) }
    try name.syncFolder()
  }

  /// Removes the partial file. Nothing happens after a commit.
  public func discard() {
    guard !isFinished else { return }
    isFinished = true
    unlink(name.partial)
    close(descriptor)
  }
}
