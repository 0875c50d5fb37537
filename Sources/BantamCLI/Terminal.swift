import Glibc
import JSON
import Tensors

/// stdout is data, stderr is talk.
enum Terminal {
  /// Writes a line of data. A closed pipe ends the program quietly.
  static func print(_ text: String) { write(text + "\n", to: STDOUT_FILENO) }

  /// Writes a line of talk.
  static func say(_ text: String) { write(text + "\n", to: STDERR_FILENO) }

  static func write(_ text: String, to descriptor: Int32) {
    let bytes = Array(text.utf8)
    var done = 0
    while done < bytes.count {
      let count = bytes.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress! + done, bytes.count - done) }
      if count < 0 && errno == EINTR { continue }
      if count <= 0 {
        // Talk that nobody hears is no failure.
        if descriptor == STDERR_FILENO { return }
        if errno != EPIPE {
          fail(ErrorReport(.inputOutput, at: "stdout", "cannot be written: \(String(cString: strerror(errno)))"))
        }
        exit(0)
      }
      done += count
    }
  }

  /// Ends the program with a report: one line on stderr, and a document on stdout where JSON was asked for.
  static func fail(_ report: ErrorReport) -> Never {
    write("bantam: error: \(report.message)\n", to: STDERR_FILENO)
    if CommandLine.arguments.contains("--json") {
      let json: JSONValue = .members([
        "error": .members([
          "exit_code": .int(Int(report.status.rawValue)), "where": .string(report.place),
          "what": .string(report.problem), "expected": report.expected.map { .string($0) } ?? .null,
          "found": report.found.map { .string($0) } ?? .null, "hint": report.hint.map { .string($0) } ?? .null,
        ])
      ])
      write(json.text(indent: 2) + "\n", to: STDOUT_FILENO)
    }
    exit(report.status.rawValue)
  }

  static var isInteractive: Bool { isatty(STDERR_FILENO) == 1 && getenv("TERM").map { String(cString: $0) } != "dumb" }
}
