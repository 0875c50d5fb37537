import Glibc

/// Questions about folders and paths.
public enum Folder {
  /// Names in a folder, sorted by bytes, without `.` and `..`.
  public static func names(in path: String) throws(FileError) -> [String] {
    guard let stream = opendir(path) else {
      switch errno {
      case ENOENT, ELOOP: throw .missing(path: path, code: errno)
      case ENOTDIR: throw .notRegular(path: path, kind: "not a folder")
      case EACCES, EPERM: throw .noPermission(path: path)
      default: throw .cannotOpen(path: path, code: errno)
      }
    }
    defer { closedir(stream) }
    var names: [String] = []
    while let entry = readdir(stream) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
        pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      if name != "." && name != ".." { names.append(name) }
    }
    return names.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
  }

  /// Makes a folder where there is none. What is in one that is there stays.
  /// - Throws: ``FileError/cannotCreate(path:code:reason:)``, where something else has the name too.
  public static func make(_ path: String) throws(FileError) {
    guard mkdir(path, 0o777) == 0 || errno == EEXIST && exists(path) else {
      throw .cannotCreate(path: path, code: errno, reason: "the folder cannot be created")
    }
  }

  /// Size of what stands at `path` and when it was last written, as a text that another content would hardly have; nil where nothing does.
  public static func stamp(of path: String) -> String? {
    FileState(path: path).map { "\($0.byteCount) \($0.seconds) \($0.nanoseconds)" }
  }

  /// Removes files of a folder, and the folder itself where nothing else is in it. What cannot be removed stays.
  public static func remove(_ path: String, files isMeant: (String) -> Bool) {
    for name in (try? names(in: path)) ?? [] where isMeant(name) { unlink(join(path, name)) }
    rmdir(path)
  }

  /// Whether a folder stands at `path`, following links.
  public static func exists(_ path: String) -> Bool {
    var status = stat()
    return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
  }

  /// Whether anything stands at `path`, following links.
  public static func somethingExists(_ path: String) -> Bool {
    var status = stat()
    return stat(path, &status) == 0
  }

  /// Whether a regular file stands at `path`, following links.
  public static func hasFile(_ path: String) -> Bool {
    var status = stat()
    return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFREG
  }

  public static func join(_ folder: String, _ name: String) -> String {
    if folder.isEmpty { return name }
    if name.isEmpty { return folder }
    return folder.hasSuffix("/") ? folder + name : folder + "/" + name
  }

  /// The folder and the last name of a path; the folder is `.` where the path has none.
  public static func split(_ path: String) -> (folder: String, name: String) {
    var path = Substring(path)
    while path.count > 1 && path.hasSuffix("/") { path = path.dropLast() }
    guard let slash = path.lastIndex(of: "/") else { return (".", String(path)) }
    let folder = path[..<slash]
    return (folder.isEmpty ? "/" : String(folder), String(path[path.index(after: slash)...]))
  }

  /// What follows the last dot of a name; empty where there is none.
  public static func ending(of path: String) -> Substring {
    let name = path.utf8.lastIndex(of: UInt8(ascii: "/")).map { path[$0...].dropFirst() } ?? path[...]
    return name.utf8.lastIndex(of: UInt8(ascii: ".")).map { name[$0...].dropFirst() } ?? ""
  }

  /// Whether a name out of a file is a plain file name in the same folder: nothing that could lead elsewhere.
  public static func isPlainName(_ name: String) -> Bool {
    !name.utf8.contains(UInt8(ascii: "/")) && isPlainPath(name.utf8)
  }

  /// Whether a path out of a file, as bytes, stays below its folder: plain names of UTF-8 joined by `/`.
  public static func isPlainPath(_ path: some Sequence<UInt8>) -> Bool {
    let path = Array(path)
    guard String(validating: path, as: UTF8.self) != nil else { return false }
    return path.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false).allSatisfy { name in
      !name.isEmpty && name.count <= 255 && name.first != UInt8(ascii: "~") && !name.elementsEqual([0x2E])
        && !name.elementsEqual([0x2E, 0x2E])
        && !name.contains { $0 < 0x20 || $0 == 0x7F || $0 == UInt8(ascii: "\\") }
        // The control characters from U+0080 to U+009F.
        && !zip(name, name.dropFirst()).contains { $0 == 0xC2 && (0x80...0x9F).contains($1) }
    }
  }
}
