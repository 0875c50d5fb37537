import Glibc

/// What can go wrong with a file, apart from its content.
public enum FileError: ReportingError, Equatable {
  /// The file does not exist, or a link leads nowhere or in a circle.
  case missing(path: String, code: Int32)
  /// The path is a folder, pipe, device or socket.
  case notRegular(path: String, kind: String)
  case noPermission(path: String)
  case cannotOpen(path: String, code: Int32)
  /// The file became shorter while it was read.
  case shrank(path: String, offset: Int, expectedByteCount: Int)
  case readFailed(path: String, offset: Int, code: Int32)
  case tooLarge(path: String, byteCount: Int, limit: Int)
  /// Compressed data that does not unpack, or not to what its header says.
  case damaged(path: String, problem: String)
  case writeFailed(path: String, code: Int32)
  case cannotCreate(path: String, code: Int32, reason: String)
  /// The output path is not a place where a new file may be put.
  case badOutput(path: String, reason: String)
  /// The operating system refused memory.
  case outOfMemory(byteCount: Int)
  /// Stopped by a signal.
  case interrupted(signal: Int32)

  public var report: ErrorReport {
    switch self {
    case .missing(let path, let code):
      ErrorReport(.noInput, at: printable(path), "cannot be opened: \(systemMessage(code))")
    case .notRegular(let path, let kind):
      ErrorReport(.noInput, at: printable(path), "is not a regular file", expected: "a file", found: kind)
    case .noPermission(let path):
      ErrorReport(.noPermission, at: printable(path), "no permission")
    case .cannotOpen(let path, let code):
      ErrorReport(
        code == EMFILE || code == ENFILE || code == ENOMEM ? .system : .noInput, at: printable(path),
        "cannot be opened: \(systemMessage(code))")
    case .shrank(let path, let offset, let expected):
      ErrorReport(
        .inputOutput, at: printable(path), "ends at byte \(offset) while it is read", expected: "\(expected) bytes",
        found: "\(offset)", hint: "Another program changed the file: try again when it is complete")
    case .readFailed(let path, let offset, let code):
      ErrorReport(.inputOutput, at: printable(path), "cannot be read at byte \(offset): \(systemMessage(code))")
    case .tooLarge(let path, let count, let limit):
      ErrorReport(
        .badData, at: printable(path), "is too large for its kind", expected: "at most \(limit) bytes",
        found: "\(count)")
    case .damaged(let path, let problem):
      ErrorReport(.badData, at: printable(path), problem, hint: BadData.damaged)
    case .writeFailed(let path, let code):
      ErrorReport(
        .inputOutput, at: printable(path), "cannot be written: \(systemMessage(code))",
        hint: code == ENOSPC ? "The disk is full: --dry-run tells the space that is needed" : nil)
    case .cannotCreate(let path, let code, let reason):
      ErrorReport(
        code == ENOSPC || code == EIO || code == EDQUOT
          ? .inputOutput : (code == EACCES || code == EPERM ? .noPermission : .cannotCreate), at: printable(path),
        "\(reason): \(systemMessage(code))")
    case .badOutput(let path, let reason):
      ErrorReport(.cannotCreate, at: printable(path), reason)
    case .outOfMemory(let count):
      ErrorReport(.system, at: "memory", "the system refused \(count) bytes", hint: "--memory lowers what is used")
    case .interrupted(let signal):
      ErrorReport(signal == SIGTERM ? .terminated : .interrupted, at: "stopped", "by signal \(signal)")
    }
  }
}

/// The system's own words for an error number.
func systemMessage(_ code: Int32) -> String {
  String(cString: strerror(code))
}
