/// Exit codes of the command line, after sysexits.h.
public enum ExitStatus: Int32, Sendable {
  /// Verify: damaged or different. Diff: a threshold was missed.
  case differs = 1
  /// Wrong use of the command.
  case usage = 64
  /// An input is malformed, hostile, ambiguous or not supported.
  case badData = 65
  /// An input is missing or cannot be opened.
  case noInput = 66
  /// Something needed is not available on this machine.
  case unavailable = 69
  /// A defect of Bantam.
  case defect = 70
  /// The system refused memory, files or threads.
  case system = 71
  /// The output cannot be created.
  case cannotCreate = 73
  /// Reading or writing failed.
  case inputOutput = 74
  /// No permission.
  case noPermission = 77
  /// Stopped: 128 and the signal's number, here that of SIGINT.
  case interrupted = 130
}

/// What a person needs to act on an error: where, which rule, expected and found, and what to do.
public struct ErrorReport: Sendable, Equatable {
  public var status: ExitStatus
  /// The file as the user named it, then shard, tensor, key or byte offset.
  public var place: String
  /// The rule that is broken, in words.
  public var problem: String
  public var expected: String?
  public var found: String?
  public var hint: String?

  public init(
    _ status: ExitStatus, at place: String, _ problem: String, expected: String? = nil, found: String? = nil,
    hint: String? = nil
  ) {
    self.status = status
    self.place = place
    self.problem = problem
    self.expected = expected
    self.found = found
    self.hint = hint
  }

  /// One line of at most 500 bytes: `WHERE: WHAT (expected ..., found ...). HINT`.
  public var message: String {
    var detail: [String] = []
    if let expected { detail.append("expected \(expected)") }
    if let found { detail.append("found \(found)") }
    var line = "\(place): \(problem)"
    if !detail.isEmpty { line += " (" + detail.joined(separator: ", ") + ")" }
    if let hint { line += ". " + hint }
    guard line.utf8.count > 500 else { return line }
    var cut = ""
    var size = 3
    for character in line {
      size += character.utf8.count
      if size > 500 { break }
      cut.append(character)
    }
    return cut + "…"
  }
}

/// An error that can explain itself. Every error that Bantam throws on purpose is one.
public protocol ReportingError: Error, Sendable {
  var report: ErrorReport { get }
}

extension ReportingError {
  public var localizedDescription: String { report.message }
}
