import ArgumentParser
import Documents

/// How a command's findings are shown.
struct ReportOptions: ParsableArguments {
  @Flag(help: "Print a JSON document.")
  var json = false

  @Option(
    help: ArgumentHelp("Lines of each table. (default: all, or 30 where the worst come first)", valueName: "count"))
  var top: Int?

  @Flag(help: "A line for each row: nothing is folded or left out.")
  var all = false

  func validate() throws {
    if let top, top < 1 { throw ValidationError("--top takes a number from 1") }
    guard top == nil || !all else { throw ValidationError("--top and --all exclude each other") }
  }

  var style: TextStyle {
    TextStyle(
      width: Terminal.width, isColored: Terminal.isColored, top: top, showsAll: all, advice: "--top N, --all")
  }

  /// - Parameter format: where no JSON is asked for.
  func show(_ document: Document, as format: DocumentFormat = .text) {
    Terminal.print(document: document.lines(as: json ? .json : format, style))
  }
}

extension DocumentFormat: ExpressibleByArgument {}
