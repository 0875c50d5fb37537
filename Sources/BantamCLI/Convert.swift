import ArgumentParser
import Conversion
import ModelSources
import Reports
import Tensors

struct Convert: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Turn a release folder, or any readable source, into one native mapped file.",
    discussion: """
      EXAMPLES
        bantam convert BLIP3o-Model-8B -o blip3o-8b.bantam
        bantam convert BLIP3o/BLIP3o-Model-4B -o 4b.bantam --components llm,vision
        bantam convert model.safetensors -o model.bantam --dtype f16
        bantam convert pytorch_model.bin -o model.bantam
        bantam convert BLIP3o-Model-8B -o 8b.bantam --dry-run

      SOURCE is a release folder, a repository id in the local Hugging Face cache, an index, a diffusers folder, a .bantam
      file, a PyTorch file (.bin, .pt, .ckpt), the state of a DeepSpeed run, a GGUF file, NumPy arrays, or safetensors that
      MLX, bitsandbytes or compressed-tensors have quantized. Nothing in a pickle is run. An existing output is replaced when
      the new one is whole.
      """)

  @Argument(help: "What to convert.")
  var source: String

  @Option(name: .shortAndLong, help: "The file to write.")
  var output: String

  @Option(help: ArgumentHelp("Components to convert, or 'all'. (default: all that inference uses)", valueName: "list"))
  var components: String?

  @Option(help: "Cast f32, f16 and bf16 tensors: keep, f32, f16, bf16.")
  var dtype = TargetDType.keep

  @Option(help: "The model's family; 'generic' takes any tensors. (default: by config.json and tensors)")
  var family: String?

  @Flag(help: "Print what would be done, with exact sizes, and stop.")
  var dryRun = false

  @OptionGroup var report: ReportOptions

  @OptionGroup var work: WorkOptions

  func run() throws {
    let options = ConversionOptions(
      components: splitList(components), dtype: dtype.dtype, family: family, resources: work.resources())
    let source = try ModelSource(path: source)
    try OutputFile.check(output, form: .bantam)
    var plan = try ConversionPlan(source: source, options: options)
    if !work.quiet { for note in plan.notes { Terminal.say("note: \(note)") } }
    if dryRun { return report.show(PlanReport(plan, output).document) }
    let (resources, meter) = work.resources("convert", total: plan.inputByteCount)
    plan.resources = resources
    try Converter.run(plan, to: output)
    meter.finish()
    report.show(PlanReport(plan, output, seconds: meter.seconds).document)
  }
}
