import ArgumentParser
import Conversion
import Glibc
import Tensors

/// The root command.
struct Bantam: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "bantam",
    abstract: "BLIP3-o on ordinary machines: one native file, exact or small, that paints and sees.",
    discussion: """
      EXAMPLES
        bantam sample demo --scale tiny
        bantam convert demo -o demo.bantam
        bantam inspect demo.bantam
        bantam verify demo.bantam --source demo
        bantam quantize demo -o demo-4bit.bantam --encoding book4
        bantam diff demo demo-4bit.bantam
        bantam generate demo-4bit.bantam "a photo of a cute cat" -o cat.png
        bantam describe demo-4bit.bantam cat.png "What is in the picture?"

      EXIT CODES
        0 done   1 damaged or different   64 wrong use   65 bad input   66 missing input
        70 a defect of bantam   71 system resources   73 cannot create output   74 read or write failed
        77 no permission   130, 143 stopped by a signal
      """,
    version: bantamVersion,
    subcommands: [
      Sample.self, Convert.self, Quantize.self, EncodingsCommand.self, Calibrate.self, StatisticsCommand.self,
      SensitivityCommand.self,
      Inspect.self, Diff.self, Compare.self,
      Verify.self, Export.self,
      Annotate.self, Tokenize.self, Generate.self, Describe.self, Chat.self, Encode.self, GridCommand.self,
      TraceCommand.self,
      ProfileCommand.self, Bench.self, Doctor.self,
    ])
}

@main
enum Main {
  static func main() {
    ProcessSignals.handle()
    // What a command has read is no place for what it writes, also where it was closed since.
    OpenedFiles.rememberAll()
    do {
      var command = try Bantam.parseAsRoot()
      try command.run()
    } catch let error as any ReportingError {
      Terminal.fail(Advice.report(of: error))
    } catch {
      // Help and the version are data, wrong use is talk.
      let (text, code) = (Bantam.fullMessage(for: error), Bantam.exitCode(for: error).rawValue)
      guard code == 0 else { Terminal.fail(usage: Bantam.message(for: error), lines(of: text), code: code) }
      if !text.isEmpty { Terminal.stream(text + "\n") }
    }
  }

  private static func lines(of text: String) -> [String] {
    text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
  }
}
