import CLinux
import Glibc

/// Where an output goes: the file that a path leads to through ordinary links.
struct OutputPlace {
  /// As the user named it.
  let path: String
  /// The folder and the name that the finished output takes.
  let folder: String
  let name: String
  /// What stands there now.
  let old: stat?

  var target: String { Folder.join(folder, name) }

  /// - Throws: ``FileError/badOutput(path:reason:)`` for names that are none, links of the system's own, and links in a circle.
  init(path: String) throws(FileError) {
    guard !path.isEmpty else { throw .badOutput(path: "output", reason: "has an empty name") }
    guard path != "-" else {
      throw .badOutput(
        path: path, reason: "standard output takes no file; name one, or ./- for a file that is called so")
    }
    self.path = path
    var place = path
    for _ in 0..<40 {
      let (folder, name) = Folder.split(place)
      guard !name.isEmpty, name != ".", name != "..", name != "/" else {
        throw .badOutput(path: path, reason: "is not a name for an output")
      }
      guard Folder.exists(folder) else {
        throw .badOutput(path: path, reason: "its folder '\(folder)' does not exist")
      }
      var status = stat()
      guard lstat(Folder.join(folder, name), &status) == 0 else {
        (self.folder, self.name, old) = (folder, name, nil)
        return
      }
      guard status.st_mode & S_IFMT == S_IFLNK else {
        (self.folder, self.name, old) = (folder, name, status)
        return
      }
      guard clinux_is_proc(folder) == 0 else {
        throw .badOutput(path: path, reason: "leads to a stream of a process, not to a file that can be replaced")
      }
      let next = try Self.target(of: Folder.join(folder, name), path: path)
      place = next.hasPrefix("/") ? next : Folder.join(folder, next)
    }
    throw .badOutput(path: path, reason: "is a link that leads in a circle")
  }

  private static func target(of link: String, path: String) throws(FileError) -> String {
    var buffer = [UInt8](repeating: 0, count: 4096)
    let count = buffer.withUnsafeMutableBytes {
      readlink(link, $0.baseAddress!.assumingMemoryBound(to: CChar.self), $0.count)
    }
    guard count > 0, count < buffer.count else { throw .badOutput(path: path, reason: "is a link that cannot be read") }
    return String(decoding: buffer[..<count], as: UTF8.self)
  }

  /// - Throws: ``FileError/outputIsInput(path:)`` where this process reads what stands there.
  func checkIsNoInput() throws(FileError) {
    if let identity = FileIdentity(path: target), OpenedFiles.contains(identity) { throw .outputIsInput(path: path) }
  }

  /// - Throws: ``FileError`` where no new file can be made in the folder.
  func checkIsWritable() throws(FileError) {
    guard access(folder, W_OK | X_OK) == 0 else {
      throw .cannotCreate(path: path, code: errno, reason: "the output cannot be created")
    }
  }
}

/// The name under which an output grows until it is whole: `.NAME.PID.partial` in the target folder.
///
/// The maker holds a lock on it, from a moment after it was made. A later run removes those that nobody has locked, and whose process
/// is dead or that are old: the number of a dead process may be that of another by now.
struct PartialName {
  private let folder: String
  /// What comes before the number of the process.
  private let stem: String
  let path: String

  init(_ place: OutputPlace) {
    folder = place.folder
    // 255 bytes are what a name may have, and the number takes some of them.
    let stem = place.name.utf8.count <= 200 ? place.name : Self.shortened(place.name)
    self.stem = stem
    path = Folder.join(folder, ".\(stem).\(getpid()).partial")
  }

  /// The beginning of a name, and a number that stands for the rest. Source: the FNV-1a hash.
  private static func shortened(_ name: String) -> String {
    var hash: UInt64 = 0xCBF2_9CE4_8422_2325
    for byte in name.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
    var start = ""
    for character in name where start.utf8.count + character.utf8.count <= 160 { start.append(character) }
    return start + "~" + String(hash, radix: 16)
  }

  /// Removes what dead processes left of the same target.
  func removeEarlierAttempts() throws(FileError) {
    for name in try Folder.names(in: folder) {
      guard name.hasPrefix(".\(stem)."), name.hasSuffix(".partial"),
        let process = Int32(name.dropFirst(stem.count + 2).dropLast(8)), process > 0
      else { continue }
      let path = Folder.join(folder, name)
      let isAlive = process != getpid() && (kill(process, 0) == 0 || errno == EPERM)
      if !isAlive || Self.isOld(path) { Self.removeIfUnlocked(path) }
    }
  }

  /// Whether a file was made more than a minute ago, and so locked by whoever is at work on it.
  private static func isOld(_ path: String) -> Bool {
    var status = stat()
    return lstat(path, &status) == 0 && time(nil) - status.st_mtim.tv_sec > 60
  }

  private static func removeIfUnlocked(_ path: String) {
    let descriptor = open(path, O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC)
    guard descriptor >= 0 else { return }
    if flock(descriptor, LOCK_EX | LOCK_NB) == 0 { clinux_remove_tree(path) }
    close(descriptor)
  }

  /// Locks what was just made under the name; false where a cleaner has taken it away in between.
  func lock(_ descriptor: Int32) -> Bool {
    while flock(descriptor, LOCK_EX) != 0 && errno == EINTR {}
    var (mine, there) = (stat(), stat())
    return fstat(descriptor, &mine) == 0 && lstat(path, &there) == 0 && FileIdentity(mine) == FileIdentity(there)
  }

  func syncFolder() throws(FileError) {
    let descriptor = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard descriptor >= 0 else { return }
    defer { close(descriptor) }
    // Some file systems cannot sync a folder; that is not a failure of this output.
    if fsync(descriptor) != 0 && errno == EIO { throw .writeFailed(path: path, code: errno) }
  }
}
