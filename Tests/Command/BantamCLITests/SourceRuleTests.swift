import Foundation
import Testing
import TestSupport

/// Rules that the sources keep, so that nobody has to remember them.
@Suite struct SourceRuleTests {
  private static let root = Repository.root.appending(path: "Sources")

  /// Lines of code of the Swift files below `Sources`, with their place; comments are left out.
  private static func lines(where isWanted: (String) -> Bool) throws -> [(place: String, text: Substring)] {
    let files = try #require(FileManager.default.enumerator(atPath: root.path)?.allObjects as? [String])
    let wanted = files.filter { $0.hasSuffix(".swift") && isWanted($0) }
    #expect(!wanted.isEmpty)
    return try wanted.flatMap { file in
      try String(contentsOf: root.appendingPathComponent(file), encoding: .utf8)
        .split(separator: "\n", omittingEmptySubsequences: false).enumerated()
        .filter { !$0.element.contains(#/^\s*\/\//#) }.map { ("\(file):\($0.offset + 1)", $0.element) }
    }
  }

  private static func isOfLibrary(_ file: String) -> Bool { !file.hasPrefix("BantamCLI/") }

  /// A program that uses the library has neither the options nor the commands.
  @Test func theLibraryNamesNoOptionAndNoCommand() throws {
    let commands = ["inspect", "verify", "diff", "convert", "quantize", "export", "annotate", "tokenize", "generate"]
      .joined(separator: "|")
    let command = try Regex("bantam (\(commands))")
    for line in try Self.lines(where: Self.isOfLibrary) {
      #expect(!line.text.contains(#/["' (]--[a-z]/#), "\(line.place): \(line.text)")
      #expect(!line.text.contains(command), "\(line.place): \(line.text)")
    }
  }

  @Test func everyErrorOfTheLibrarySaysItself() throws {
    for line in try Self.lines(where: Self.isOfLibrary)
    where line.text.contains(#/(enum|struct|class) \w+: .*\bError\b/#) {
      #expect(line.text.contains("private struct Stopped"), "\(line.place): \(line.text)")
    }
  }

  /// Where text is made safe: no other file of the command line writes.
  @Test func theTerminalIsTheOnlyExit() throws {
    let isOther = { (file: String) in file.hasPrefix("BantamCLI/") && file != "BantamCLI/Terminal.swift" }
    for line in try Self.lines(where: isOther) {
      #expect(
        !line.text.contains(#/(^|[^.\w])(print|fputs|puts|debugPrint|dump)\(|STDOUT_|STDERR_|FileHandle\./#),
        "\(line.place): \(line.text)")
    }
    for line in try Self.lines(where: Self.isOfLibrary) {
      #expect(!line.text.contains(#/(^|[^.\w])(print|fputs|puts|debugPrint|dump)\(/#), "\(line.place): \(line.text)")
    }
  }
}
