import Documents
import Glibc
import JSONText
import Reports
import Tensors

/// stdout is data, stderr is talk.
///
/// All that the program says leaves it here, and text is made safe here, whatever it was made of: a line has no line ends but
/// the one that is written behind it, a passage has no controls but line ends and tabs, and JSON escapes its own strings.
enum Terminal {
  // MARK: Data

  /// Writes a line of data. A closed pipe ends the program quietly; what cannot be written ends it with 74.
  static func print(_ line: String) { print(lines: [line]) }

  static func print(lines: [String]) { write(data: lines.map { PrintableText.line($0) + "\n" }.joined()) }

  /// Writes a document for programs.
  /// - Parameter indent: nil writes it on one line.
  static func print(json document: Document, indent: Int? = 1) {
    write(data: document.json.text(indent: indent) + "\n")
  }

  /// Writes lines that are safe already, as a document's are, colors and all.
  static func print(document lines: [String]) { write(data: lines.map { $0 + "\n" }.joined()) }

  /// Columns of the screen that data goes to; nil where it goes elsewhere, such as into a pipe.
  static var width: Int? {
    guard isatty(STDOUT_FILENO) == 1 else { return nil }
    var size = winsize()
    guard ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return nil }
    return Int(size.ws_col)
  }

  /// Whether data may be colored: on a screen that can, unless NO_COLOR says otherwise (no-color.org).
  static var isColored: Bool {
    isatty(STDOUT_FILENO) == 1 && !isDumb && (getenv("NO_COLOR").map { $0.pointee == 0 } ?? true)
  }

  private static var isDumb: Bool { getenv("TERM").map { String(cString: $0) } == "dumb" }

  /// Writes text of any number of lines, as it comes.
  static func stream(_ passage: String) { write(data: PrintableText.passage(passage)) }

  // MARK: Talk

  /// Writes a line of talk, cut where it is too long to be read.
  static func say(_ line: String) { write(talk: shown(line) + "\n") }

  static func say(lines: [String]) { lines.forEach(say) }

  /// Shows a line in place of the one that was shown before it; another line where that cannot be.
  static func renew(_ line: String) {
    if isInteractive { write(talk: eraseLine + shown(line)) } else { say(line) }
  }

  /// Writes a line of talk in place of the one that was renewed.
  static func settle(_ line: String) { write(talk: (isInteractive ? eraseLine : "") + shown(line) + "\n") }

  /// Asks for a line.
  static func ask() { write(talk: "> ") }

  private static let eraseLine = "\r\u{1B}[K"

  private static func shown(_ line: String) -> String { PrintableText.shortened(PrintableText.line(line), to: 500) }

  static var isInteractive: Bool { isatty(STDERR_FILENO) == 1 && !isDumb }

  // MARK: The end

  /// Ends the program with a report: one line on stderr, and a document on stdout where JSON was asked for.
  static func fail(_ report: ErrorReport) -> Never {
    if JSONRequest.isMade { _ = write(ErrorDocument(report).json.text(indent: 1) + "\n", to: STDOUT_FILENO) }
    end(report)
  }

  /// Ends the program over wrong use: the parser's own lines on stderr, and the document where JSON was asked for.
  static func fail(usage problem: String, _ lines: [String], code: Int32) -> Never {
    if JSONRequest.isMade {
      let document = ErrorDocument(ErrorReport(.usage, at: "", problem), code: code)
      _ = write(document.json.text(indent: 1) + "\n", to: STDOUT_FILENO)
    }
    say(lines: lines)
    exit(code)
  }

  private static func end(_ report: ErrorReport) -> Never {
    write(talk: "bantam: error: \(report.message)\n")
    exit(report.status.rawValue)
  }

  // MARK: Channels

  private static func write(data text: String) {
    let code = write(text, to: STDOUT_FILENO)
    if code == 0 { return }
    // A reader that has seen enough, such as head, is no failure.
    if code == EPIPE { exit(0) }
    // Not by way of stdout, also where JSON was asked for: it is what failed.
    end(ErrorReport(.inputOutput, at: "stdout", "cannot be written: \(String(cString: strerror(code)))"))
  }

  /// Talk that nobody hears is no failure.
  private static func write(talk text: String) { _ = write(text, to: STDERR_FILENO) }

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
}
