import Glibc

/// Lines of a work in progress, each on the disk before the next is begun: a work that was stopped goes on behind the last.
public final class Journal: Sendable {
  public let path: String
  private let descriptor: Int32

  /// Opens what is there, or begins anew where its first line is another.
  /// - Parameter head: what the work is; its lines count only for the same.
  /// - Returns: the lines behind the head that are whole.
  /// - Throws: ``FileError``, where another process is at the work too.
  public static func open(path: String, head: String) throws(FileError) -> (journal: Journal, lines: [String]) {
    let journal = try Journal(path: path)
    var bytes: [UInt8] = []
    if Folder.hasFile(path) { bytes = try ReadableFile(path: path).contents() }
    let end = UInt8(ascii: "\n")
    // What comes behind the last end of a line was cut.
    bytes = Array(bytes[..<((bytes.lastIndex(of: end) ?? -1) + 1)])
    let lines = bytes.split(separator: end, omittingEmptySubsequences: false).dropLast().map {
      String(decoding: $0, as: UTF8.self)
    }
    let isSame = lines.first == head
    try journal.cut(to: isSame ? bytes.count : 0)
    if !isSame { try journal.append(head) }
    return (journal, isSame ? Array(lines.dropFirst()) : [])
  }

  private init(path: String) throws(FileError) {
    self.path = path
    descriptor = Glibc.open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0o666)
    guard descriptor >= 0 else { throw .cannotCreate(path: path, code: errno, reason: "the journal cannot be created") }
    // Where a file system knows no locks, there are none.
    guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK else {
      close(descriptor)
      throw .badOutput(path: path, reason: "is the journal of a work that another process is at")
    }
  }

  /// Whether a journal is there that has lines of other work.
  /// - Parameter head: what the work is.
  public static func hasOtherWork(path: String, head: String) -> Bool {
    guard let bytes = try? ReadableFile(path: path).contents(), let end = bytes.firstIndex(of: UInt8(ascii: "\n"))
    else { return false }
    return !bytes[..<end].elementsEqual(head.utf8) && bytes[(end + 1)...].contains(UInt8(ascii: "\n"))
  }

  deinit { close(descriptor) }

  private func cut(to byteCount: Int) throws(FileError) {
    guard ftruncate(descriptor, off_t(byteCount)) == 0 else { throw .writeFailed(path: path, code: errno) }
  }

  /// - Parameter line: without an end.
  public func append(_ line: String) throws(FileError) {
    var bytes = Array((line + "\n").utf8)[...]
    while !bytes.isEmpty {
      let count = bytes.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { throw .writeFailed(path: path, code: count < 0 ? errno : ENOSPC) }
      bytes = bytes.dropFirst(count)
    }
    guard fsync(descriptor) == 0 else { throw .writeFailed(path: path, code: errno) }
  }

  /// The work is done.
  public func remove() { unlink(path) }
}
