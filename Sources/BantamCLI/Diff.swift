import ArgumentParser
import Compare
import Conversion
import Glibc
import Report
import Tensors

struct Diff: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Compare the weights of any two readable sources, tensor by tensor.",
    discussion: """
      Exit code 0, or 1 when a tensor misses --fail-under.

      EXAMPLES
        bantam diff BLIP3o-Model-8B 8b-int4.bantam
        bantam diff 8b.bantam 8b-int8.bantam --fail-under 40
        bantam diff a.safetensors b.safetensors --json
      """)

  @Argument(help: "The reference.")
  var first: String

  @Argument(help: "What is compared with it.")
  var second: String

  @Option(help: ArgumentHelp("Components to compare. (default: those that both have)", valueName: "list"))
  var components: String?

  @Option(help: ArgumentHelp("Exit with 1 when a tensor's SQNR is lower, or it is missing.", valueName: "dB"))
  var failUnder: Double?

  @Flag(help: "Print a JSON document.")
  var json = false

  @OptionGroup var work: WorkOptions

  func run() throws {
    let (a, b) = (try ModelSource(path: first), try ModelSource(path: second))
    let components = splitList(components)
    let (resources, meter) = work.resources(
      "diff", total: try WeightDiff.inputByteCount(a, b, components: components))
    let diff = try WeightDiff(a, b, components: components, resources: resources)
    meter.finish()
    let report = DiffReport(diff)
    Terminal.print(json ? report.json.text(indent: 1) : report.text)
    guard let failUnder else { return }
    guard !diff.rows.isEmpty else {
      Terminal.say("bantam: the two have no tensor in common to hold against \(failUnder) dB")
      Glibc.exit(ExitStatus.differs.rawValue)
    }
    let failures = report.failures(under: failUnder)
    guard !failures.isEmpty else { return }
    Terminal.say("bantam: \(failures.count) tensors miss \(failUnder) dB, first '\(failures[0].name)'")
    Glibc.exit(ExitStatus.differs.rawValue)
  }
}
