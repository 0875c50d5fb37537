import Glibc
import JSON
import Tensors

/// stdout is data, stderr is talk.
enum Terminal {
  /// Writes a line of data. A closed pipe ends the program quietly; what cannot be written ends it with 74.
  static func print(_ text: String) { write(data: text + "\n") }

  /// Writes a line of talk.
  static func say(_ text: String) { write(talk: text + "\n") }

  static func write(data text: String) {
    let code = write(text, to: STDOUT_FILENO)
    if code == 0 { return }
    // A reader that has seen enough, such as head, is no failure.
    if code == EPIPE { exit(0) }
    // Not by way of stdout, also where JSON was asked for: it is what failed.
    end(ErrorReport(.inputOutput, at: "stdout", "cannot be written: \(String(cString: strerror(code)))"))
  }

  /// Talk that nobody hears is no failure.
  static func write(talk text: String) { _ = write(text, to: STDERR_FILENO) }

  /// Gives 0, or the error number.
  private static func write(_ text: String, to descriptor: Int32) -> Int32 {
    let bytes = Array(text.utf8)
    var done = 0
    while done < bytes.count {
      let count = bytes.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress! + done, bytes.count - done) }
      if count < 0 && errno == EINTR { continue }
      if count < 0 && errno == EAGAIN {
        // Somebody has made the stream one that does not wait: wait for it here.
        var request = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
        if poll(&request, 1, -1) >= 0 || errno == EINTR { continue }
      }
      if count <= 0 { return count < 0 ? errno : EIO }
      done += count
    }
    return 0
  }

  /// Ends the program with a report: one line on stderr, and a document on stdout where JSON was asked for.
  static func fail(_ report: ErrorReport) -> Never {
    if CommandLine.arguments.contains("--json") {
      let json: JSONValue = .members([
        "error": .members([
          "exit_code": .int(Int(report.status.rawValue)), "where": .string(report.place),
          "what": .string(report.problem), "expected": report.expected.map { .string($0) } ?? .null,
          "found": report.found.map { .string($0) } ?? .null, "hint": report.hint.map { .string($0) } ?? .null,
        ])
      ])
      _ = write(json.text(indent: 2) + "\n", to: STDOUT_FILENO)
    }
    end(report)
  }

  private static func end(_ report: ErrorReport) -> Never {
    write(talk: "bantam: error: \(report.message)\n")
    exit(report.status.rawValue)
  }

  static var isInteractive: Bool { isatty(STDERR_FILENO) == 1 && getenv("TERM").map { String(cString: $0) } != "dumb" }
}
