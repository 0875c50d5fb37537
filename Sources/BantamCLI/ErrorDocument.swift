import Documents
import JSONText
import Tensors

/// What went wrong, for programs.
struct ErrorDocument {
  let json: JSONValue

  /// - Parameter code: where the program ends with another than the report's own.
  init(_ report: ErrorReport, code: Int32? = nil) {
    var document = Document(schema: "bantam.error.1")
    func text(_ part: String?) -> JSONValue { part.flatMap { $0.isEmpty ? nil : .string($0) } ?? .null }
    document.data(
      "error",
      .members([
        "exit_code": .int(Int(code ?? report.status.rawValue)), "where": text(report.place),
        "what": text(report.problem), "expected": text(report.expected), "found": text(report.found),
        "hint": text(report.hint),
      ]))
    json = document.json
  }
}

/// Whether a command line asks for JSON, also one that cannot be parsed.
enum JSONRequest {
  static var isMade: Bool { isMade(by: Array(CommandLine.arguments.dropFirst())) }

  /// What stands behind `--` is no option.
  static func isMade(by arguments: [String]) -> Bool {
    let options = arguments.prefix { $0 != "--" }
    return options.contains("--json") || options.contains("--format=json")
      || zip(options, options.dropFirst()).contains { $0 == "--format" && $1 == "json" }
  }
}
