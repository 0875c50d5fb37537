import ArgumentParser
import Conversion
import Documents
import Encodings
import InputStatistics
import ModelSources
import Planning
import Quantization
import Reports
import Tensors

struct Quantize: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Turn any readable source into a small native file, in one pass.",
    discussion: """
      By default matrices and convolutions get the encoding asked for, and what is known to need more keeps more: the
      model's family says by role what gets 8 bits and what stays as it is. --dry-run shows it. Patterns respect that, too, unless
      --unprotect is given. 'bantam encodings' tells what each encoding costs and is worth.

      With --budget, --bits or --max-kl the encodings are chosen, tensor by tensor: by what each tensor's errors do to the results,
      as 'bantam sensitivity' has measured it. --dry-run tells what is predicted, --save-recipe keeps the choice.

      With --statistics or --calibrate-with, rounding is guided by what matrices are multiplied with. --calibrate-with runs the model
      while it is quantized: each layer is solved for inputs that those before it make as they are by then, with moments of all its
      columns together, up to 6144. What is solved is kept in OUTPUT.solved until the file is whole: a run that was stopped goes on
      there when the same command is given again.

      EXAMPLES
        bantam quantize BLIP3o-Model-8B -o 8b-4bit.bantam --encoding book4
        bantam quantize BLIP3o-Model-8B -o 8b.bantam --encoding book4 --encoding 'unet.*=even8' --keep 'dit.layers.0.*'
        bantam quantize BLIP3o-Model-8B -o 8b.bantam --encoding book4 --dry-run
        bantam quantize BLIP3o-Model-8B -o 8b.bantam --recipe mine.json
        bantam quantize BLIP3o-Model-8B -o 8b.bantam --encoding book4 --statistics 8b.statistics.safetensors
        bantam quantize BLIP3o-Model-8B -o 8b.bantam --encoding book4 --calibrate-with prompts.txt --steps 8 --decoder-steps 4
        bantam quantize BLIP3o-Model-8B -o 8b.bantam --budget 6GiB --sensitivity 8b.sensitivity.json --statistics 8b.statistics.safetensors
      """)

  private static let names = KnownEncodings.quantizing.map(\.shortName).joined(separator: ", ")

  @Argument(help: "What to quantize.")
  var source: String

  @Option(name: .shortAndLong, help: "The file to write.")
  var output: String

  @Option(
    help: ArgumentHelp(
      "\(names), or PATTERN=ENCODING for tensors by name. May be repeated; the last match wins. (default: \(BookEncoding.book4.shortName))",
      valueName: "encoding"))
  var encoding: [String] = []

  @Option(help: ArgumentHelp("Leave tensors by name as they are. May be repeated.", valueName: "pattern"))
  var keep: [String] = []

  @Option(
    help: ArgumentHelp("Read default and rules from a file; --encoding and --keep come on top.", valueName: "file"))
  var recipe: String?

  @Option(help: ArgumentHelp("Write default and rules to a file.", valueName: "file"))
  var saveRecipe: String?

  @Option(
    help: ArgumentHelp(
      "What 'bantam calibrate' has written of this model: codes are then chosen for what the outputs lose.",
      valueName: "file"))
  var statistics: String?

  @OptionGroup var solving: SolvingOptions

  @OptionGroup var budget: BudgetOptions

  @Flag(
    help:
      "Let patterns reach also what the model needs precise: embedders and final layers, for example. Plain names always do."
  )
  var unprotect = false

  @Flag(help: "Quantize also what is quantized already: its errors add up.")
  var allowRequantize = false

  @Option(help: ArgumentHelp("Components to write, or 'all'. (default: all that inference uses)", valueName: "list"))
  var components: String?

  @Option(help: "The model's family; 'generic' takes any tensors. (default: by config.json and tensors)")
  var family: String?

  @Flag(help: "Print what would be done, with exact sizes, and stop.")
  var dryRun = false

  @OptionGroup var report: ReportOptions

  @OptionGroup var work: WorkOptions

  /// Tensors that data could guide less far than others.
  private static func notes(_ outcomes: [TensorOutcome]) -> [String] {
    func note(_ text: String, _ found: [TensorOutcome]) -> String? {
      guard let first = found.first else { return nil }
      return "\(text) \(found.count) tensor\(found.count == 1 ? "" : "s"), first '\(first.name)'"
    }
    let short = outcomes.filter(\.fellShort)
    return [
      note("no data has reached the inputs of", short.filter { $0.depth == .none }),
      note(
        "columns count by their squares alone, without feedback, in", short.filter { $0.depth == .weighted }),
      note(
        "columns that go together too closely were told apart by more damping than usual in",
        outcomes.filter { $0.raisedDamping != nil }),
    ].compactMap(\.self)
  }

  private func resolvedRecipe() throws -> QuantizationRecipe {
    // A recipe or patterns say what is meant; nothing at all means small and good.
    var resolved = QuantizationRecipe(defaultEncoding: encoding.isEmpty ? .book4 : nil)
    if let recipe { resolved = try QuantizationRecipe(json: ReadableFile(path: recipe).contents(), path: recipe) }
    for text in encoding {
      if let mark = text.lastIndex(of: "=") {
        let action = try QuantizationRecipe.action(String(text[text.index(after: mark)...]))
        resolved.rules.append(.init(pattern: String(text[..<mark]), action: action))
      } else if case .encode(let encoding) = try QuantizationRecipe.action(text) {
        resolved.defaultEncoding = encoding
      } else {
        resolved.defaultEncoding = nil
      }
    }
    resolved.rules += keep.map { .init(pattern: $0, action: .keep) }
    if unprotect { resolved.unprotects = true }
    return resolved
  }

  func validate() throws {
    guard statistics == nil || !solving.isGiven else {
      throw ValidationError("--calibrate-with makes its own statistics: give no --statistics beside it")
    }
    guard !budget.isGiven || encoding.isEmpty && keep.isEmpty && recipe == nil else {
      throw ValidationError("a budget chooses all encodings: give no --encoding, --keep or --recipe beside it")
    }
  }

  func run() throws {
    var recipe = try resolvedRecipe()
    var options = ConversionOptions(
      components: splitList(components), family: family, recipe: recipe, resources: work.resources())
    options.allowsRequantizing = allowRequantize
    options.statistics = try statistics.map { try StatisticsFile(path: $0) }
    let source = try ModelSource(path: source)
    try OutputFile.check(output, form: .bantam)
    let prepared = try solving.prepared(source.path, work)
    let chosen =
      budget.isGiven ? try budget.plan(source, options, quiet: work.quiet) : nil
    if let chosen {
      recipe = chosen.recipe
      options.recipe = recipe
    }
    if let saveRecipe { try OutputFile.check(saveRecipe, form: .json, besides: output) }
    var plan: ConversionPlan
    do {
      plan = try ConversionPlan(source: source, options: options)
    } catch RecipeError.cannotMeet(let refusals) {
      var table = Table(nil, [.init(nil, "tensor"), .init(nil, "asked"), .init(nil, "reason")], usualCount: 30)
      for refusal in refusals { table.add([.name(refusal.name), .text(refusal.asked), .text(refusal.reason)]) }
      Terminal.say(lines: table.lines(TextStyle(top: report.top, showsAll: report.all, advice: "--top N, --all")))
      throw RecipeError.cannotMeet(refusals)
    }
    if !work.quiet { for note in plan.notes { Terminal.say("note: \(note)") } }
    if let saveRecipe {
      try AtomicOutputFile(path: saveRecipe).commit(Array((recipe.json.text(indent: 2) + "\n").utf8))
    }
    if dryRun, prepared != nil, !work.quiet {
      Terminal.say(
        "note: --calibrate-with takes memory beside that, and room for a second copy of what is quantized until it is done"
      )
    }
    if dryRun { return report.show(PlanReport(plan, output, budget: chosen).document) }
    if statistics != nil || solving.isGiven {
      options.solved = try solving.solved(plan, options.statistics, prepared, output, work)
      plan = try ConversionPlan(source: source, options: options)
    }
    let (resources, meter) = work.resources("quantize", total: plan.inputByteCount)
    plan.resources = resources
    let outcomes: [TensorOutcome]
    do { outcomes = try Converter.run(plan, to: output) } catch {
      if let solved = options.solved { SolvingOptions.leave(solved, quiet: work.quiet) }
      throw error
    }
    options.solved?.remove()
    meter.finish()
    let seconds = meter.seconds
    let quality = try QualityReport(Inspection(path: output))
    if !work.quiet {
      for warning in quality.warnings { Terminal.say("warning: \(warning)") }
      for note in Self.notes(outcomes) { Terminal.say("note: \(note)") }
      if !quality.warnings.isEmpty {
        Terminal.say("note: bantam inspect --tensor shows the values of a tensor, --keep leaves it as it is")
      }
    }
    report.show(
      PlanReport(plan, output, seconds: seconds, quality: quality, outcomes: outcomes, budget: chosen).document)
  }
}
