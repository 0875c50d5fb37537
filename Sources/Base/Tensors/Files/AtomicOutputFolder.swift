import CLinux
import Glibc

/// A folder of files that appears under its name only when it is whole.
///
/// An existing folder is replaced, in one step, only if it is empty or was made by Bantam and holds nothing else: its
/// marker file lists what was written. Anything else is refused, so that nothing of the user's is lost.
public final class AtomicOutputFolder {
  /// Lists the files that Bantam wrote, one relative path a line.
  public static let markerName = ".bantam-folder"

  /// What the marker of a folder of these files says.
  public static func marker(of paths: [String]) -> [UInt8] {
    Array((paths.sorted().joined(separator: "\n") + "\n").utf8)
  }

  public let path: String
  private let place: OutputPlace
  private let name: PartialName
  private let lock: Int32
  private let slot: Int32
  private var written: [String] = []
  private var isFinished = false

  /// Checks that a folder can be made at `path`, as far as that can be known without making it.
  /// - Throws: ``FileError``: something stands there that is not ours to replace, or that is read.
  public static func check(path: String) throws(FileError) { _ = try checkedPlace(path) }

  private static func checkedPlace(_ path: String) throws(FileError) -> OutputPlace {
    var status = stat()
    if lstat(path, &status) == 0, status.st_mode & S_IFMT == S_IFLNK {
      throw .badOutput(path: path, reason: "is a link; name the folder itself")
    }
    let place = try OutputPlace(path: path)
    if place.old != nil { try checkReplaceable(path) }
    try place.checkIsWritable()
    return place
  }

  /// - Throws: ``FileError`` as ``check(path:)`` does, and when creation fails.
  public init(path: String) throws(FileError) {
    signal(SIGXFSZ, SIG_IGN)
    self.path = path
    place = try Self.checkedPlace(path)
    name = PartialName(place)
    try name.removeEarlierAttempts()
    slot = clinux_remember_partial(name.path)
    do throws(FileError) { lock = try Self.make(name, path: path) } catch {
      clinux_forget_partial(slot)
      throw error
    }
  }

  private static func make(_ name: PartialName, path: String) throws(FileError) -> Int32 {
    for _ in 0..<16 {
      guard mkdir(name.path, 0o777) == 0 else {
        throw .cannotCreate(path: path, code: errno, reason: "the output folder cannot be created")
      }
      let lock = open(name.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
      guard lock >= 0 else {
        let code = errno
        rmdir(name.path)
        throw .cannotCreate(path: path, code: code, reason: "the output folder cannot be opened")
      }
      if name.lock(lock) { return lock }
      close(lock)
    }
    throw .badOutput(path: path, reason: "is taken away again and again by another program")
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
    let text = try ReadableFile(path: marker, isInput: false).contents()
    let listed = Set(String(decoding: text, as: UTF8.self).split(separator: "\n").map(String.init))
    if let foreign = found.first(where: { !listed.contains($0) && $0 != markerName }) {
      throw .badOutput(
        path: path, reason: "holds '\(foreign)', which was not written with the rest; it is left as it is")
    }
    for name in found {
      if let identity = FileIdentity(path: Folder.join(path, name)), OpenedFiles.contains(identity) {
        throw .outputIsInput(path: path)
      }
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

  /// The place to write a file that belongs to the folder, its parent folders made.
  /// - Parameter relativePath: plain names joined by `/`.
  public func place(for relativePath: String) throws(FileError) -> String {
    guard Folder.isPlainPath(relativePath.utf8) else {
      throw .badOutput(path: path, reason: "'\(relativePath)' would lead out of the output folder")
    }
    let names = relativePath.split(separator: "/")
    var folder = name.path
    for part in names.dropLast() {
      folder = Folder.join(folder, String(part))
      if mkdir(folder, 0o777) != 0 && errno != EEXIST {
        throw .cannotCreate(path: path, code: errno, reason: "a folder in the output cannot be created")
      }
    }
    written.append(relativePath)
    return Folder.join(name.path, relativePath)
  }

  /// Writes a small file in one go.
  public func write(_ bytes: [UInt8], to relativePath: String) throws(FileError) {
    try AtomicOutputFile(path: try place(for: relativePath)).commit(bytes)
  }

  /// Checks that the disk has room for what is to come.
  /// - Throws: ``FileError/noRoom(path:needed:free:)``.
  public func reserve(byteCount: Int) throws(FileError) {
    try DiskSpace.require(byteCount, in: place.folder, for: path)
  }

  /// Gives the folder its name. An earlier folder is exchanged in one step, then removed.
  public func commit() throws(FileError) {
    try write(Self.marker(of: written), to: Self.markerName)
    _ = fsync(lock)
    if Folder.somethingExists(path) {
      try Self.checkReplaceable(path)
      guard renameat2(AT_FDCWD, name.path, AT_FDCWD, path, BANTAM_RENAME_EXCHANGE) == 0 else {
        throw .cannotCreate(path: path, code: errno, reason: "the earlier folder cannot be replaced")
      }
      isFinished = true
      clinux_remove_tree(name.path)
    } else {
      guard rename(name.path, path) == 0 else {
        throw .cannotCreate(path: path, code: errno, reason: "the finished folder cannot take its name")
      }
      isFinished = true
    }
    clinux_forget_partial(slot)
    close(lock)
    try name.syncFolder()
  }

  /// Removes the partial folder. Nothing happens after a commit.
  public func discard() {
    guard !isFinished else { return }
    isFinished = true
    clinux_remove_tree(name.path)
    clinux_forget_partial(slot)
    close(lock)
  }
}
