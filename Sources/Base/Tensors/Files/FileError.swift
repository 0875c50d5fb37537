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
  /// The file is no longer the one that was opened, or has other bytes.
  case changed(path: String, what: String)
  case readFailed(path: String, offset: Int, code: Int32)
  case tooLarge(path: String, byteCount: Int, limit: Int)
  /// Compressed data that claims to unpack to more than weights can.
  case unpacksTooFar(path: String, packed: Int, unpacked: Int)
  /// Compressed data that does not unpack, or not to what its header says.
  case damaged(path: String, problem: String)
  case writeFailed(path: String, code: Int32)
  /// The disk has less room than the output takes.
  case noRoom(path: String, needed: Int, free: Int)
  case cannotCreate(path: String, code: Int32, reason: String)
  /// The output path is not a place where a new file may be put.
  case badOutput(path: String, reason: String)
  /// The output path names a file that is read, or that another output of the same work is to have.
  case outputIsInput(path: String)
  /// The operating system refused memory.
  case outOfMemory(byteCount: Int)
  /// The work takes more memory than the system has left.
  case tooLittleMemory(needed: Int, available: Int, what: String)
  /// The operating system refused a thread without which the work cannot be done.
  case noThread(code: Int32)
  /// The work was given up: ``Cancellation/cancel()``.
  case cancelled

  public var report: ErrorReport {
    switch self {
    case .missing(let path, let code):
      ErrorReport(
        .noInput, at: path.isEmpty ? "input" : path,
        path.isEmpty ? "has an empty name" : "cannot be opened: \(systemMessage(code))", hint: Self.hint(missing: path))
    case .notRegular(let path, let kind):
      ErrorReport(.noInput, at: path, "is not a regular file", expected: "a file", found: kind)
    case .noPermission(let path):
      ErrorReport(.noPermission, at: path, "no permission")
    case .cannotOpen(let path, let code):
      ErrorReport(
        code == EMFILE || code == ENFILE || code == ENOMEM ? .system : .noInput, at: path,
        "cannot be opened: \(systemMessage(code))")
    case .shrank(let path, let offset, let expected):
      ErrorReport(
        .inputOutput, at: path, "ends at byte \(offset) while it is read", expected: "\(expected) bytes",
        found: "\(offset)", hint: "Another program changed the file: try again when it is complete")
    case .changed(let path, let what):
      ErrorReport(
        .inputOutput, at: path, "\(what) while it was read",
        hint: "Another program changed the file: try again when it is complete")
    case .readFailed(let path, let offset, let code):
      ErrorReport(.inputOutput, at: path, "cannot be read at byte \(offset): \(systemMessage(code))")
    case .tooLarge(let path, let count, let limit):
      ErrorReport(
        .badData, at: path, "is too large for its kind", expected: "at most \(limit) bytes",
        found: "\(count)")
    case .unpacksTooFar(let path, let packed, let unpacked):
      ErrorReport(
        .badData, at: path, "claims to unpack to more than weights can",
        expected: "at most \(Limits.unpackedRatio) times \(packed) bytes", found: "\(unpacked)")
    case .damaged(let path, let problem):
      ErrorReport(.badData, at: path, problem, hint: BadData.damaged)
    case .writeFailed(let path, let code):
      ErrorReport(
        .inputOutput, at: path, "cannot be written: \(systemMessage(code))",
        hint: code == ENOSPC ? "The disk is full: make room" : nil)
    case .noRoom(let path, let needed, let free):
      ErrorReport(
        .inputOutput, at: path, "does not fit on the disk", expected: "\(needed) bytes free",
        found: "\(free)", hint: "Make room, or name a place on another disk")
    case .cannotCreate(let path, let code, let reason):
      ErrorReport(
        code == ENOSPC || code == EIO || code == EDQUOT
          ? .inputOutput : (code == EACCES || code == EPERM ? .noPermission : .cannotCreate), at: path,
        "\(reason): \(systemMessage(code))")
    case .badOutput(let path, let reason):
      ErrorReport(.cannotCreate, at: path, reason)
    case .outputIsInput(let path):
      ErrorReport(
        .cannotCreate, at: path, "the output is one of the inputs, which it would destroy",
        hint: "Name another file")
    case .outOfMemory(let count):
      ErrorReport(.system, at: "memory", "the system refused \(count) bytes", hint: "Close other programs")
    case .tooLittleMemory(let needed, let available, let what):
      ErrorReport(
        .system, at: "memory", "\(what) takes more than there is", expected: "\(needed) bytes available",
        found: "\(available)", hint: "Close other programs, or ask for less")
    case .noThread(let code):
      ErrorReport(.system, at: "threads", "the system refused a thread: \(systemMessage(code))")
    case .cancelled: ErrorReport(.interrupted, at: "stopped", "by the caller")
    }
  }

  /// What to do where a name is none of a file.
  private static func hint(missing path: String) -> String? {
    if path.isEmpty { return "Name a file or folder" }
    if path == "-" { return "Standard input is not read as a file: name one" }
    if path.hasPrefix("http://") || path.hasPrefix("https://") {
      return "Nothing is fetched from the net: fetch it first (hf download ORGANISATION/NAME), then name the folder"
    }
    return nil
  }
}

/// The system's own words for an error number.
func systemMessage(_ code: Int32) -> String {
  String(cString: strerror(code))
}
