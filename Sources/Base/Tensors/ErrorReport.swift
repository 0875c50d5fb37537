import FoundationEssentials

/// Exit codes of the command line, after sysexits.h.
public enum ExitStatus: Int32, Sendable {
  /// What was looked at is damaged, different, or misses a threshold.
  case differs = 1
  /// Wrong use of the command.
  case usage = 64
  /// An input is malformed, hostile, ambiguous or not supported.
  case badData = 65
  /// An input is missing or cannot be opened.
  case noInput = 66
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
///
/// The parts hold text from files as it stands there, cut to a length that can be read; ``message`` is safe to print.
public struct ErrorReport: Sendable, Equatable {
  public var status: ExitStatus
  /// The file as the user named it, then shard, tensor, key or byte offset. Empty where the error does not know the file.
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
    func part(_ text: String) -> String { PrintableText.shortened(text, to: Self.partLimit) }
    self.status = status
    self.place = part(place)
    self.problem = part(problem)
    self.expected = expected.map(part)
    self.found = found.map(part)
    self.hint = hint.map(part)
  }

  /// Code points of a part at most: a file may hold names of any length.
  private static let partLimit = 240
  private static let messageByteCount = 500

  /// One line of at most 500 bytes, safe to print: `WHERE: WHAT (expected ..., found ...). HINT`.
  public var message: String {
    var limit = Self.partLimit
    while true {
      let line = line(partLimit: limit)
      // Five parts of 20 code points always fit.
      if line.utf8.count <= Self.messageByteCount || limit <= 20 { return line }
      limit -= 20
    }
  }

  private func line(partLimit: Int) -> String {
    func part(_ text: String) -> String { PrintableText.shortened(PrintableText.line(text), to: partLimit) }
    var line = (place.isEmpty ? "" : part(place) + ": ") + part(problem)
    let detail = [expected.map { "expected " + part($0) }, found.map { "found " + part($0) }].compactMap { $0 }
    if !detail.isEmpty { line += " (" + detail.joined(separator: ", ") + ")" }
    if let hint { line += ". " + part(hint) }
    return line
  }
}

/// An error that can explain itself. Every error that Bantam throws is one: it prints as the sentence of its report, and
/// Foundation's `localizedDescription` gives the same.
public protocol ReportingError: LocalizedError, CustomStringConvertible, Sendable {
  var report: ErrorReport { get }
}

extension ReportingError {
  public var description: String { report.message }
  public var errorDescription: String? { report.message }
}

/// A rule that bytes break, whatever file they are of: who opened the file knows its name.
public protocol PlacelessError: ReportingError {
  /// The report for bytes of the file at `place`.
  func report(at place: String) -> ErrorReport
}

extension PlacelessError {
  public var report: ErrorReport { report(at: "") }
}
