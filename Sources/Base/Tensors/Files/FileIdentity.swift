import Glibc

/// Tells whether two paths name one file.
public struct FileIdentity: Hashable, Sendable {
  private let device: UInt64
  private let inode: UInt64

  init(_ status: stat) {
    device = UInt64(status.st_dev)
    inode = UInt64(status.st_ino)
  }

  /// The identity of what stands at `path`, following links; nil when nothing does.
  public init?(path: String) {
    var status = stat()
    guard stat(path, &status) == 0 else { return nil }
    self.init(status)
  }
}

/// What shows that a file is still the one that was opened, with the bytes that it had then.
struct FileState: Hashable, Sendable {
  let identity: FileIdentity
  let byteCount: Int
  /// When its bytes were last written, to the nanosecond.
  let seconds: Int
  let nanoseconds: Int

  init(_ status: stat) {
    identity = FileIdentity(status)
    byteCount = Int(status.st_size)
    seconds = Int(status.st_mtim.tv_sec)
    nanoseconds = Int(status.st_mtim.tv_nsec)
  }

  /// The state of what stands at `path` now, following links; nil when nothing does.
  init?(path: String) {
    var status = stat()
    guard stat(path, &status) == 0 else { return nil }
    self.init(status)
  }
}

/// A file as it was when it was read.
public struct FileSnapshot: Sendable {
  let path: String
  let state: FileState

  /// Checks that the path still leads to the same file with the same bytes.
  /// - Throws: ``FileError/changed(path:what:)``.
  public func check() throws(FileError) {
    guard let now = FileState(path: path) else { throw .changed(path: path, what: "was removed") }
    guard now.identity == state.identity else { throw .changed(path: path, what: "was replaced") }
    guard now == state else { throw .changed(path: path, what: "was written to") }
  }
}

/// What a mode says that a file is, in words.
func fileKind(_ mode: mode_t) -> String {
  switch mode & S_IFMT {
  case S_IFDIR: "a folder"
  case S_IFIFO: "a named pipe"
  case S_IFSOCK: "a socket"
  case S_IFCHR, S_IFBLK: "a device"
  case S_IFLNK: "a link"
  default: "something else"
  }
}
