import ArgumentParser
import Encodings
import Reports

struct EncodingsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "encodings",
    abstract: "List the forms that weights can be quantized to: bits, quality, products.",
    discussion: """
      Bits count all planes of a matrix of 4096 columns. The ratio of signal to noise is measured here and now, on normally distributed
      values: what weights of a trained network are like within a row.

      EXAMPLES
        bantam encodings
        bantam encodings --json
      """)

  @OptionGroup var report: ReportOptions

  func run() throws { report.show(try EncodingsReport(KnownEncodings.quantizing).document) }
}
