import ArgumentParser
import Exports
import ModelSources
import Reports
import Tensors

struct Export: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Write any readable source for other programs: safetensors, or GGUF for llama.cpp.",
    discussion: """
      safetensors is a folder: every tensor under its release's own name and in its file, byte for byte without --dtype; a
      quantized one is decoded to f32. The files beside the weights go along.

      gguf is one file with the language model alone. int4 becomes Q4_0 and int8 Q8_0 without any rounding, bf16 stays BF16; with
      --dtype matrices are cast, quantized ones too. formats/exports.md says it all.

      EXAMPLES
        bantam export blip3o-8b.bantam --to safetensors -o BLIP3o-Model-8B
        bantam export blip3o-8b.bantam --to safetensors -o f32 --dtype f32
        bantam export pytorch_model.bin --to safetensors -o folder
        bantam export blip3o-8b-int4.bantam --to gguf -o blip3o-8b-q4_0.gguf
        bantam export BLIP3o-Model-8B --to gguf -o blip3o-8b.gguf --dtype f16 --dry-run
      """)

  /// One of the formats by name.
  struct Format: ExpressibleByArgument {
    let format: any ExportFormat

    init?(argument: String) {
      guard let format = ExportFormats.named(argument) else { return nil }
      self.format = format
    }

    static var allValueStrings: [String] { ExportFormats.all.map(\.name) }
  }

  @Argument(help: "What to export: a .bantam file, a release folder, or any other source.")
  var source: String

  @Option(help: "The format to write.")
  var to: Format

  @Option(name: .shortAndLong, help: "The folder or file to make. An earlier export is replaced.")
  var output: String

  @Option(
    help: ArgumentHelp("Components to export. (default: all that the format holds)", valueName: "list"))
  var components: String?

  @Option(help: "Cast real tensors: keep, f32, f16, bf16.")
  var dtype = TargetDType.keep

  @Option(help: "The model's family; 'generic' takes any tensors. (default: by config.json)")
  var family: String?

  @Flag(help: "Print what would be done, with exact sizes, and stop.")
  var dryRun = false

  @OptionGroup var report: ReportOptions

  @OptionGroup var work: WorkOptions

  func run() throws {
    let source = try ModelSource(path: source)
    if let ending = to.format.fileEnding {
      try OutputFile.check(output, ending: ending)
    } else {
      try AtomicOutputFolder.check(path: output)
    }
    let plan = try to.format.plan(
      source, family: family, ExportOptions(components: splitList(components), dtype: dtype.dtype))
    if !work.quiet { for note in plan.notes { Terminal.say("note: \(note)") } }
    if dryRun { return report.show(ExportReport(plan, output).document) }
    let (resources, meter) = work.resources("export", total: plan.inputByteCount)
    try Exporter.run(plan, to: output, resources: resources)
    meter.finish()
    report.show(ExportReport(plan, output, seconds: meter.seconds).document)
  }
}
