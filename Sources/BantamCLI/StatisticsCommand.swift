import ArgumentParser
import InputStatistics
import Reports

struct StatisticsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "statistics",
    abstract: "Look at statistics of a model's inputs, and add several files up.",
    discussion: """
      Matrices that saw fewer than two rows of inputs a column are marked: their columns' products with each other say little.

      EXAMPLES
        bantam statistics 8b.statistics.safetensors
        bantam statistics monday.safetensors tuesday.safetensors -o both.safetensors
      """)

  @Argument(help: "Statistics that 'bantam calibrate' has written, of one model.")
  var files: [String]

  @Option(name: .shortAndLong, help: "The file to write their sum to.")
  var output: String?

  @OptionGroup var report: ReportOptions

  func validate() throws {
    guard !files.isEmpty else { throw ValidationError("name a file of statistics") }
    guard output != nil || files.count == 1 else {
      throw ValidationError("several files are added up: name the sum, -o")
    }
  }

  func run() throws {
    let opened = try files.map { try StatisticsFile(path: $0) }
    guard let output else { return report.show(StatisticsReport(opened[0]).document) }
    try OutputFile.check(output, form: .safetensors)
    try StatisticsWriter.write(sumOf: opened, to: output)
    report.show(StatisticsReport(try StatisticsFile(path: output)).document)
  }
}
