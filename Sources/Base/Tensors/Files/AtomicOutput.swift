import CLinux
import Glibc
import Synchronization

/// A file that appears under its name only when it is whole: written beside it, synced, then renamed over it.
///
/// A path that is a link stands for what it leads to. A file that this process reads is never replaced. An old file's mode stays.
/// Writes may come from several threads, each to its own range.
public final class AtomicOutputFile: @unchecked Sendable {
  // Unchecked: the state changes only in init, commit and discard, which the one owner calls.
  public let path: String
  private let place: OutputPlace
  private let name: PartialName
  private let descriptor: Int32
  private let slot: Int32
  private var isFinished = false

  /// Targets that outputs of this process are growing for.
  private static let targets = Mutex<Set<String>>([])

  /// Checks that a file can be made at `path`, as far as that can be known without making it.
  /// - Parameter other: another output of the same work.
  /// - Throws: ``FileError``: the path is no name, leads to something special, to an input or to the other output, or its folder takes
  ///   no file.
  public static func check(path: String, besides other: String? = nil) throws(FileError) {
    let target = try checkedPlace(path).target
    guard let other, try OutputPlace(path: other).target == target else { return }
    throw writtenTwice(path)
  }

  private static func writtenTwice(_ path: String) -> FileError {
    .badOutput(path: path, reason: "is to be written twice at once")
  }

  private static func checkedPlace(_ path: String) throws(FileError) -> OutputPlace {
    if path.count > 1, path.hasSuffix("/") { throw .badOutput(path: path, reason: "names a folder, not a file") }
    let place = try OutputPlace(path: path)
    if let old = place.old, old.st_mode & S_IFMT != S_IFREG {
      throw .badOutput(path: path, reason: "is \(fileKind(old.st_mode)), not a file that can be replaced")
    }
    try place.checkIsNoInput()
    try place.checkIsWritable()
    return place
  }

  /// Creates the partial file, after removing what dead processes left of the same target.
  /// - Throws: ``FileError`` as ``check(path:)`` does, and when creation fails.
  public init(path: String) throws(FileError) {
    signal(SIGXFSZ, SIG_IGN)  // so that a size limit is an error and not the end of the process
    self.path = path
    place = try Self.checkedPlace(path)
    name = PartialName(place)
    try name.removeEarlierAttempts()
    let target = place.target
    guard Self.targets.withLock({ $0.insert(target).inserted }) else {
      throw Self.writtenTwice(path)
    }
    slot = clinux_remember_partial(name.path)
    do throws(FileError) { descriptor = try Self.open(name, path: path) } catch {
      clinux_forget_partial(slot)
      Self.targets.withLock { _ = $0.remove(target) }
      throw error
    }
  }

  private static func open(_ name: PartialName, path: String) throws(FileError) -> Int32 {
    for _ in 0..<16 {
      let descriptor = Glibc.open(name.path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o666)
      guard descriptor >= 0 else {
        throw .cannotCreate(path: path, code: errno, reason: "the output cannot be created")
      }
      if name.lock(descriptor) { return descriptor }
      close(descriptor)
    }
    throw .badOutput(path: path, reason: "is taken away again and again by another program")
  }

  deinit { discard() }

  /// Makes room on the disk, so that a full disk is told before the work and not at its end.
  /// - Throws: ``FileError/noRoom(path:needed:free:)``.
  public func reserve(byteCount: Int) throws(FileError) {
    while fallocate(descriptor, 0, 0, max(byteCount, 1)) != 0 {
      switch errno {
      case EINTR: continue
      case EOPNOTSUPP, ENOSYS: return try DiskSpace.require(byteCount, in: place.folder, for: path)
      case ENOSPC: throw .noRoom(path: path, needed: byteCount, free: DiskSpace.free(in: place.folder) ?? 0)
      default: throw .writeFailed(path: path, code: errno)
      }
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
    // What stood there when the work began may have become an input since.
    do throws(FileError) { try place.checkIsNoInput() } catch {
      discard()
      throw error
    }
    if let old = place.old {
      fchmod(descriptor, old.st_mode & 0o7777)
      // Only the superuser may give files away; others keep what they make.
      if old.st_uid != geteuid() || old.st_gid != getegid() { _ = fchown(descriptor, old.st_uid, old.st_gid) }
    }
    guard ftruncate(descriptor, off_t(byteCount)) == 0, fsync(descriptor) == 0 else {
      let code = errno
      discard()
      throw .writeFailed(path: path, code: code)
    }
    guard rename(name.path, place.target) == 0 else {
      let code = errno
      discard()
      throw .cannotCreate(path: path, code: code, reason: "the finished output cannot take its name")
    }
    release()
    guard close(descriptor) == 0 else { throw .writeFailed(path: path, code: errno) }
    try name.syncFolder()
  }

  /// Writes all of a small file and gives it its name.
  public func commit(_ bytes: [UInt8]) throws(FileError) {
    try write(bytes, at: 0)
    try commit(byteCount: bytes.count)
  }

  private func release() {
    isFinished = true
    clinux_forget_partial(slot)
    Self.targets.withLock { _ = $0.remove(place.target) }
  }

  /// Removes the partial file. Nothing happens after a commit.
  public func discard() {
    guard !isFinished else { return }
    unlink(name.path)
    release()
    close(descriptor)
  }
}
