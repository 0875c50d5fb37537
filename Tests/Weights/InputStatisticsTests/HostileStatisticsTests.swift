import InputStatistics
import JSONText
import Testing
import TestSupport

private typealias Made = HandMadeStatistics

/// Files that no writer of statistics has made: an error that says what is wrong, whatever stands there.
@Suite struct HostileStatisticsTests {
  @Test func aFileByHandIsRead() throws {
    let folder = TemporaryFolder()
    let file = try StatisticsFile(path: folder.write(Made().bytesOfFile, to: "s.safetensors"))
    let entry = try #require(file.entry("w"))
    #expect(entry.rowCount == 100 && entry.blocks == MomentBlocks(columns: 40, blockColumns: 32))
    #expect(try file.moments(entry, 32..<40) == [Double](repeating: 0, count: 64))
    #expect(file.settings.counts == ["text": 1] && file.settings.given == .members(["family": "a test"]))
  }

  /// What takes the place of a part, or nothing.
  private static let rules: [(rule: String, name: String, instead: @Sendable () -> HandMadeStatistics.Part?)] = [
    ("no settings", "settings", { nil }), ("no count", "w/count", { nil }),
    ("no largest values", "w/largest", { nil }), ("no second block", "w/moments.32", { nil }),
    ("settings that are numbers", "settings", { Made.zeros("settings", "I8", [4]) }),
    ("settings of F32", "settings", { Made.zeros("settings", "F32", [1]) }),
    ("empty settings", "settings", { Made.zeros("settings", "U8", [0]) }),
    ("settings of NUL", "settings", { Made.zeros("settings", "U8", [20]) }),
    ("settings over the limit", "settings", { Made.text("{}" + String(repeating: " ", count: 1 << 20)) }),
    ("settings that are no JSON", "settings", { Made.text(#"{"schema":"bantam.statistics.1""#) }),
    ("settings that are a list", "settings", { Made.text("[]") }),
    ("settings of another schema", "settings", { Made.text(#"{"schema":"bantam.statistics.2"}"#) }),
    ("fewer than no texts", "settings", { Made.text(#"{"schema":"bantam.statistics.1","counts":{"text":-1}}"#) }),
    ("texts by name", "settings", { Made.text(#"{"schema":"bantam.statistics.1","counts":{"text":"1"}}"#) }),
    ("a count of I32", "w/count", { Made.zeros("w/count", "I32", [1]) }),
    ("two counts", "w/count", { Made.zeros("w/count", "I64", [2]) }),
    ("a count of no dimension", "w/count", { Made.zeros("w/count", "I64", []) }),
    ("a negative count", "w/count", { Made.part("w/count", "I64", [1], bytes([-1])) }),
    ("the least count of 64 bits", "w/count", { Made.part("w/count", "I64", [1], bytes([Int.min])) }),
    ("a count of 2^48", "w/count", { Made.part("w/count", "I64", [1], bytes([1 << 48])) }),
    ("largest values of F64", "w/largest", { Made.zeros("w/largest", "F64", [40]) }),
    ("too few largest values", "w/largest", { Made.zeros("w/largest", "F32", [39]) }),
    ("squares of F32", "w/squares", { Made.zeros("w/squares", "F32", [2, 40]) }),
    ("squares in one row", "w/squares", { Made.zeros("w/squares", "F64", [1, 40]) }),
    ("squares in three rows", "w/squares", { Made.zeros("w/squares", "F64", [3, 40]) }),
    ("squares of one dimension", "w/squares", { Made.zeros("w/squares", "F64", [80]) }),
    ("squares of no columns", "w/squares", { Made.zeros("w/squares", "F64", [2, 0]) }),
    ("squares of more columns", "w/squares", { Made.zeros("w/squares", "F64", [2, 41]) }),
    ("moments of F32", "w/moments.0", { Made.zeros("w/moments.0", "F32", [2, 528]) }),
    ("moments in one row", "w/moments.0", { Made.zeros("w/moments.0", "F64", [1, 528]) }),
    ("moments of one dimension", "w/moments.0", { Made.zeros("w/moments.0", "F64", [1056]) }),
    ("no moments in a block", "w/moments.0", { Made.zeros("w/moments.0", "F64", [2, 0]) }),
    ("moments that are no triangle", "w/moments.0", { Made.zeros("w/moments.0", "F64", [2, 529]) }),
    ("a block of 31 columns", "w/moments.0", { Made.zeros("w/moments.0", "F64", [2, 496]) }),
    ("a block wider than the matrix", "w/moments.0", { Made.zeros("w/moments.0", "F64", [2, 2080]) }),
    ("a second block of another size", "w/moments.32", { Made.zeros("w/moments.32", "F64", [2, 28]) }),
    ("a second block elsewhere", "w/moments.32", { Made.zeros("w/moments.33", "F64", [2, 36]) }),
  ]

  @Test(arguments: rules.indices) func eachRuleIsKept(index: Int) {
    let (rule, name, instead) = Self.rules[index]
    let folder = TemporaryFolder()
    let made = Made().replacing(name, by: instead()).bytesOfFile
    HostileFiles.keep(made, rule: "statistics: \(rule)", ending: "safetensors")
    #expect("\(rule)") {
      try StatisticsFile(path: folder.write(made, to: "s.safetensors"))
    } throws: {
      caseName($0) == "malformed"
    }
  }

  /// Sums that are no numbers are found when they are asked for.
  @Test(arguments: [Double.nan, .infinity, -.infinity]) func sumsThatAreNoNumbersAreRefused(value: Double) throws {
    let folder = TemporaryFolder()
    for (name, count) in [("squares", 80), ("moments.0", 1056), ("moments.32", 72)] {
      for place in [0, count / 2 + 3, count - 1] {
        var numbers = [Double](repeating: 0, count: count)
        numbers[place] = value
        let made = Made().replacing("w/\(name)", by: Made.part("w/\(name)", "F64", [2, count / 2], bytes(numbers)))
        let file = try StatisticsFile(path: folder.write(made.bytesOfFile, to: "\(name).\(place).safetensors"))
        let entry = try #require(file.entry("w"))
        #expect("\(name), \(place)") {
          if name == "squares" { return try file.squares(entry) }
          return try file.moments(entry, name == "moments.0" ? 0..<32 : 32..<40)
        } throws: {
          caseName($0) == "malformed"
        }
        #expect("\(name), \(place), added") {
          try StatisticsWriter.write(sumOf: [file, file], to: folder["sum.safetensors"])
        } throws: {
          caseName($0) == "malformed"
        }
      }
    }
  }

  /// Whatever becomes of a file, it is read or refused.
  @Test func changedFilesEndWell() {
    var generator = SeededGenerator(90)
    let folder = TemporaryFolder()
    let original = Made().bytesOfFile
    for number in 0..<400 {
      let path = folder.write(generator.mutant(of: original), to: "\(number).safetensors")
      guard let file = try? StatisticsFile(path: path) else { continue }
      for entry in file.entries {
        _ = try? file.squares(entry)
        _ = try? file.largest(entry)
        for range in entry.blocks.ranges { _ = try? file.moments(entry, range) }
      }
    }
  }
}
