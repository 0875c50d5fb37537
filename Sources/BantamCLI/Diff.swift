import ArgumentParser
import Blip3o
import Comparison
import Documents
import Glibc
import ModelSources
import NetworkRuntime
import Observation
import Reports
import Tensors

struct Diff: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Compare the weights of any two readable sources, two models at work, or two pictures.",
    discussion: """
      Without a prompt or picture: weights, or activations of two traces, tensor by tensor. With one: both models get the same
      inputs and noise, and every operation's output is compared. --local gives each operation of the second model what the
      first one's read, so that its difference is its own. Two PNG, JPEG or WebP files are compared as pictures. Exit code 0, or 1
      when a threshold is missed.

      A LAYER AT FAULT
        Compare the weights first, with what they were made from: it takes least, needs no prompt and sees every component. What stands
        out is named before anything else, and sound weights are silent. Where they are, the fault is in computing: the same with
        --prompt and --local, then with --image and --question. Such a comparison looks at the weights, too, and names the operation.

      EXAMPLES
        bantam diff BLIP3o-Model-8B 8b-int4.bantam
        bantam diff BLIP3o-Model-8B 8b-int4.bantam --prompt "a cat" --local --steps 4 --decoder-steps 2
        bantam diff BLIP3o-Model-8B 8b-int4.bantam --tensor 'llm.layers.*.mlp.*'
        bantam diff 8b.bantam 8b-int8.bantam --fail-under 40
        bantam diff a.safetensors b.safetensors --json
        bantam diff 8b.bantam 8b-int4.bantam --prompt "a cat" --steps 4 --decoder-steps 2
        bantam diff 8b-int4.bantam 8b-int4.bantam --prompt "a cat" --compute f32 --compute2 int8 --save-pictures cats
        bantam diff 8b.bantam 8b-int4.bantam --image cat.png --question "What is this?" --max-kl 0.1
        bantam diff cat-f32.png cat-int8.png -o difference.png --min-ssim 0.95
      """)

  @Argument(help: "The reference.")
  var first: String

  @Argument(help: "What is compared with it.")
  var second: String

  @Option(help: ArgumentHelp("Components to compare. (default: those that both have)", valueName: "list"))
  var components: String?

  @Option(help: ArgumentHelp("Exit with 1 when a tensor's SQNR is lower, or it is missing.", valueName: "dB"))
  var failUnder: Double?

  @OptionGroup var subject: SubjectOptions

  @Option(help: "Tokens of the answers.")
  var maxTokens = 16

  @Flag(help: "Show each operation's own difference, not what it inherits.")
  var local = false

  @Option(help: ArgumentHelp("Exit with 1 when the mean KL divergence of the logits is higher.", valueName: "nats"))
  var maxKl: Double?

  @Option(help: ArgumentHelp("Exit with 1 when an operation's SQNR is lower.", valueName: "dB"))
  var minSqnr: Double?

  @Option(help: ArgumentHelp("Exit with 1 when the pictures' PSNR is lower.", valueName: "dB"))
  var minPsnr: Double?

  @OptionGroup var pictures: PictureDiffOptions

  @OptionGroup var painting: PaintingOptions

  @OptionGroup var compute: ComputeOptions

  @Option(
    help: ArgumentHelp("How the second model's products are computed. (default: as the first's)", valueName: "mode"))
  var compute2: ComputeMode?

  @Option(
    help: ArgumentHelp(
      "Only tensors or operations whose names a shell pattern fits, as 'inspect' has it.", valueName: "pattern"))
  var tensor: String?

  @OptionGroup var report: ReportOptions

  @OptionGroup var work: WorkOptions

  func validate() throws {
    let isAtWork = subject.isGiven
    if !isAtWork, local || maxKl != nil || minSqnr != nil {
      throw ValidationError("--local, --max-kl and --min-sqnr need --prompt or --image")
    }
    if local, maxKl != nil || minPsnr != nil {
      throw ValidationError("--max-kl and --min-psnr judge what comes out in the end: leave out --local")
    }
    if isAtWork, subject.prompt == nil, minPsnr != nil { throw ValidationError("--min-psnr needs --prompt") }
    if subject.prompt == nil, pictures.savePictures != nil { throw ValidationError("--save-pictures needs --prompt") }
    if local, pictures.savePictures != nil { throw ValidationError("--local paints one picture twice: leave it out") }
    if isAtWork, pictures.areGiven { throw ValidationError("-o and --min-ssim compare two picture files") }
    if isAtWork, failUnder != nil || components != nil {
      throw ValidationError("--fail-under and --components compare weights: use --min-sqnr")
    }
    if !isAtWork, compute.compute != nil || compute2 != nil {
      throw ValidationError("--compute and --compute2 need --prompt or --image")
    }
    guard (1...100_000).contains(maxTokens) else { throw ValidationError("--max-tokens is 1 to 100000") }
  }

  private func compareModels() throws {
    let meter = StepMeter(isShown: !work.quiet)
    var run = RunOptions(
      threadCount: work.threads ?? RunOptions.defaultThreadCount, mode: compute.compute ?? .f32,
      progress: { meter.show($0) })
    subject.pixels.apply(to: &run)
    var secondRun = run
    secondRun.mode = compute2 ?? run.mode
    let sides = [(try Model(path: first), run), (try Model(path: second), secondRun)]
    if let folder = pictures.savePictures { try AtomicOutputFolder.check(path: folder) }
    let runs: [any ObservedRun]
    switch try subject.subject(quiet: work.quiet) {
    case .prompt(let prompt):
      let (options, noise) = (try painting.options(), try painting.givenNoise())
      runs = sides.map { PaintingRun($0, prompt: prompt, options: options, noise: noise, run: $1) }
    case .question(let question, let picture):
      runs = sides.map { AnsweringRun($0, pictures: [picture], question: question, maxTokens: maxTokens, run: $1) }
    }
    // What either cannot do is told before the work; what the weights say takes least of that.
    for run in runs { try run.check() }
    let weights = first == second ? nil : try compareWeights(nil).evidence
    let diff = try RunDiff(runs[0], runs[1], isLocal: local)
    if let folder = pictures.savePictures { try savePictures(of: diff, to: folder) }
    let found =
      try tensor.map { try RunDiffReport(diff, weights: weights, matching: $0, path: second) }
      ?? RunDiffReport(diff, weights: weights)
    report.show(found.document)
    let failures = found.failures(maxKL: maxKl, minSQNR: minSqnr, minPSNR: minPsnr)
    guard !failures.isEmpty else { return }
    for failure in failures { Terminal.say("bantam: \(failure)") }
    Glibc.exit(ExitStatus.differs.rawValue)
  }

  private func compareWeights(_ components: [String]?) throws -> WeightDiff {
    let (a, b) = (try ModelSource(path: first), try ModelSource(path: second))
    let (resources, meter) = work.resources(
      "diff", total: try WeightDiff.inputByteCount(a, b, components: components))
    let diff = try WeightDiff(a, b, components: components, resources: resources)
    meter.finish()
    return diff
  }

  func run() throws {
    if subject.isGiven { return try compareModels() }
    if try comparePictures() { return }
    let diff = try compareWeights(splitList(components))
    let found = try tensor.map { try DiffReport(diff, matching: $0, path: second) } ?? DiffReport(diff)
    report.show(found.document)
    guard let failUnder else { return }
    guard !diff.rows.isEmpty else {
      Terminal.say("bantam: the two have no tensor in common to hold against \(failUnder) dB")
      Glibc.exit(ExitStatus.differs.rawValue)
    }
    let failures = found.failures(under: failUnder)
    guard !failures.isEmpty else { return }
    Terminal.say("bantam: \(failures.count) tensors miss \(failUnder) dB, first '\(failures[0].name)'")
    Glibc.exit(ExitStatus.differs.rawValue)
  }
}
