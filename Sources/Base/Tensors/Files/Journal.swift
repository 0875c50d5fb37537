import Glibc

/// Lines of a work in progress, each on the disk before the next is begun: a work that was stopped goes on behind the last.
public final class Journal {
  public let path: String
  private let descriptor: Int32

  /// Opens what is there, or begins anew where its first line is another.
  /// - Parameter head: what the work is; its lines count only for the same.
  /// - Returns: the lines behind the head that are whole.
  public static func open(path: String, head: String) throws(FileError) -> (journal: Journal, lines: [String]) {
    var lines: [String] = []
    if Folder.hasFile(path) {
      let text = String(decoding: try ReadableFile(path: path).contents(), as: UTF8.self)
      // What comes behind the last end of a line was cut.
      lines = text.split(separator: "\n", omittingEmptySubsequences: false).dropLast().map(String.init)
    }
    let isSame = lines.first == head
    let journal = try Journal(path: path)
    let kept = isSame ? Array(lines.dropFirst()) : []
    try journal.begin([head] + kept)
    return (journal, kept)
  }

  private init(path: String) throws(FileError) {
    self.path = path
    descriptor = Glibc.open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0o666)
    guard descriptor >= 0 else { throw .cannotCreate(path: path, code: errno, reason: "the journal cannot be created") }
  }

  deinit { close(descriptor) }

  private func begin(_ lines: [String]) throws(FileError) {
    guard ftruncate(descriptor, 0) == 0 else { throw .writeFailed(path: path, code: errno) }
    for line in lines { try append(line) }
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
