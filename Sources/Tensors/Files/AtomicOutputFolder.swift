import CLinux
import Glibc

/// A folder of files that appears under its name only when it is whole.
///
/// An existing folder is replaced, in one step, only if it is empty or was made by Bantam and holds nothing else: its
/// marker file lists what was written. Anything else is refused, so that nothing of the user's is lost.
public final class AtomicOutputFolder {
  /// Lists the files that Bantam wrote, one relative path a line.
  public static let markerName = ".bantam-folder"

  public let path: String
  private let name: PartialName
  private let lock: Int32
  private var written: [String] = []
  private var isFinished = false

  /// - Throws: ``FileError`` when the target exists and is not ours to replace, or creation fails.
  public init(path: String) throws(FileError) {
    signal(SIGXFSZ, SIG_IGN)
    name = try PartialName(target: path)
    self.path = path
    var status = stat()
    if lstat(path, &status) == 0, status.st_mode & S_IFMT == S_IFLNK {
      throw .badOutput(path: path, reason: "is a link; name the folder itself")
    }
    if Folder.somethingExists(path) { try Self.checkReplaceable(path) }
    for stale in try name.earlierAttempts() { Self.removeIfUnlocked(stale) }
    guard mkdir(name.partial, 0o777) == 0 else {
      throw .cannotCreate(path: path, code: errno, reason: "the output folder cannot be created")
    }
    lock = open(name.partial, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    _ = flock(lock, LOCK_EX | LOCK_NB)
  }

  deinit { discard() }

  private static func checkReplaceable(_ path: String) throws(FileError) {
    guard Folder.exists(path) else { throw .badOutput(path: path, reason: "exists and is not a folder") }
    let found = try files(below: path)
    guard !found.isEmpty else { return }
    let marker = Folder.join(path, markerName)
    guard Folder.hasFile(marker) else {
      throw .badOutput(path: path, reason: "exists and was not made by bantam; it is left as it is. Name a new folder")
    }
    let listed = Set(
      String(decoding: try ReadableFile(path: marker).contents(), as: UTF8.self).split(separator: "\n").map(String.init)
    )
    if let foreign = found.first(where: { !listed.contains($0) && $0 != markerName }) {
      throw .badOutput(
        path: path, reason: "holds '\(printable(foreign))', which bantam did not write; it is left as it is")
    }
  }

  /// Relative paths of all files below a folder. Links are listed, not followed.
  private static func files(below folder: String, prefix: String = "", depth: Int = 0) throws(FileError) -> [String] {
    var found: [String] = []
    for name in try Folder.names(in: folder) {
      let path = Folder.join(folder, name)
      var status = stat()
      guard lstat(path, &status) == 0 else { continue }
      if status.st_mode & S_IFMT == S_IFDIR && depth < 16 {
        found += try files(below: path, prefix: Folder.join(prefix, name), depth: depth + 1)
      } else {
        found.append(Folder.join(prefix, name))
      }
    }
    return found
  }

  private static func removeIfUnlocked(_ path: String) {
    let descriptor = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
    guard descriptor >= 0 else { return }
    if flock(descriptor, LOCK_EX | LOCK_NB) == 0 { removeTree(path) }
    close(descriptor)
  }

  /// Removes a folder and all below it. Links are removed, never followed.
  private static func removeTree(_ path: String) {
    var root = stat()
    guard lstat(path, &root) == 0, root.st_mode & S_IFMT == S_IFDIR else {
      unlink(path)
      return
    }
    for name in (try? Folder.names(in: path)) ?? [] {
      let child = Folder.join(path, name)
      var status = stat()
      guard lstat(child, &status) == 0 else { continue }
      if status.st_mode & S_IFMT == S_IFDIR { removeTree(child) } else { unlink(child) }
    }
    rmdir(path)
  }

  /// The place to write a file that belongs to the folder, its parent folders made.
  /// - Parameter relativePath: plain names joined by `/`.
  public func place(for relativePath: String) throws(FileError) -> String {
    guard Folder.isPlainPath(relativePath.utf8) else {
      throw .badOutput(path: path, reason: "'\(printable(relativePath))' would lead out of the output folder")
    }
    let names = relativePath.split(separator: "/")
    var folder = name.partial
    for part in names.dropLast() {
      folder = Folder.join(folder, String(part))
      if mkdir(folder, 0o777) != 0 && errno != EEXIST {
        throw .cannotCreate(path: path, code: errno, reason: "a folder in the output cannot be created")
      }
    }
    written.append(relativePath)
    return Folder.join(name.partial, relativePath)
  }

  /// Writes a small file in one go.
  public func write(_ bytes: [UInt8], to relativePath: String) throws(FileError) {
    let file = try AtomicOutputFile(path: try place(for: relativePath))
    try file.write(bytes, at: 0)
    try file.commit(byteCount: bytes.count)
  }

  /// Gives the folder its name. An earlier folder is exchanged in one step, then removed.
  public func commit() throws(FileError) {
    try write(Array((written.sorted().joined(separator: "\n") + "\n").utf8), to: Self.markerName)
    _ = fsync(lock)
    if Folder.somethingExists(path) {
      try Self.checkReplaceable(path)
      guard renameat2(AT_FDCWD, name.partial, AT_FDCWD, path, BANTAM_RENAME_EXCHANGE) == 0 else {
        throw .cannotCreate(path: path, code: errno, reason: "the earlier folder cannot be replaced")
      }
      isFinished = true
      Self.removeTree(name.partial)
    } else {
      guard rename(name.partial, path) == 0 else {
        throw .cannotCreate(path: path, code: errno, reason: "the finished folder cannot take its name")
      }
      isFinished = true
    }
    close(lock)
    try name.syncFolder()
  }

  /// Removes the partial folder. Nothing happens after a commit.
  public func discard() {
    guard !isFinished else { return }
    isFinished = true
    Self.removeTree(name.partial)
    close(lock)
  }
}
