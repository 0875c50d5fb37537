import ArgumentParser
import Conversion
import Documents
import InputStatistics
import ModelSources
import Planning
import Quantization
import Tensors

/// What a model may take, or lose, where its encodings are to be chosen for it.
struct BudgetOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Choose encodings so that the file takes at most so many bytes, such as 6GiB, and loses little.",
      valueName: "size"))
  var budget: String?

  @Option(
    help: ArgumentHelp("Choose them by average bits of what may be quantized, such as 4.2.", valueName: "bits"))
  var bits: Double?

  @Option(
    help: ArgumentHelp(
      "Choose the smallest with at most such a predicted divergence (KL, nats a token).", valueName: "nats"))
  var maxKl: Double?

  @Option(
    help: ArgumentHelp(
      "What 'bantam sensitivity' has measured; without it roles and errors of the weights decide.", valueName: "file"))
  var sensitivity: String?

  var isGiven: Bool { budget != nil || bits != nil || maxKl != nil }

  func validate() throws {
    guard [budget != nil, bits != nil, maxKl != nil].count(where: { $0 }) <= 1 else {
      throw ValidationError("give one of --budget, --bits and --max-kl")
    }
    if let budget, Quantity.parseBytes(budget) == nil { throw ValidationError("--budget takes a size such as 6GiB") }
    if let bits, !(0.5...32).contains(bits) { throw ValidationError("--bits takes a number from 0.5 to 32") }
    if let maxKl, !(maxKl > 0 && maxKl.isFinite) { throw ValidationError("--max-kl takes a number above 0") }
    if maxKl != nil, sensitivity == nil { throw ValidationError("--max-kl needs a table: --sensitivity") }
    if sensitivity != nil, !isGiven { throw ValidationError("--sensitivity serves --budget, --bits and --max-kl") }
  }

  /// Chooses encodings.
  /// - Parameters:
  ///   - options: what else is asked for; the recipe in it is replaced.
  ///   - quiet: whether progress and what should be known of the choice stay unsaid.
  func plan(_ source: ModelSource, _ options: ConversionOptions, quiet: Bool) throws -> BudgetPlan {
    func note(_ text: String) { if !quiet { Terminal.say("note: \(text)") } }
    let map = try ModelMap(source, family: options.family)
    let inputs: PlanInputs
    if let sensitivity {
      let table = try SensitivityTable(json: ReadableFile(path: sensitivity).contents(), path: sensitivity)
      inputs = try PlanInputs(source, map, components: options.components, table: table, path: sensitivity)
      if maxKl != nil, !inputs.measures.contains(.divergence) {
        throw PlanningError.notMeasured(measure: Measure.divergence.rawValue, path: sensitivity)
      }
    } else {
      let meter = CountMeter("errors of all encodings", isShown: !quiet)
      inputs = try PlanInputs(
        source, map, components: options.components, statistics: options.statistics, resources: options.resources,
        progress: meter.show)
      meter.finish()
    }
    if let first = inputs.unmeasured.first {
      let count = inputs.unmeasured.count
      note(
        "\(count) tensor\(count == 1 ? " is" : "s are") not in the table and will stay as in the source, first '\(first)'"
      )
    }
    if sensitivity == nil {
      note("nothing was measured: roles and errors of the weights decide ('bantam sensitivity' measures)")
    }
    let planner = BudgetPlanner(inputs.tensors, measures: inputs.measures)
    if let maxKl { return try planner.plan(bound: maxKl, on: .divergence) }
    if let bits {
      return try planner.plan(byteCount: Int(bits * Double(inputs.tensors.reduce(0) { $0 + $1.elementCount }) / 8))
    }
    return try plan(fileOf: Quantity.parseBytes(budget!)!, planner, source, options)
  }

  /// What the file takes beside the tensors hangs a little on how they are stored: found by trying.
  private func plan(
    fileOf byteCount: Int, _ planner: BudgetPlanner, _ source: ModelSource, _ options: ConversionOptions
  ) throws -> BudgetPlan {
    var options = options
    func fileByteCount(_ plan: BudgetPlan) throws -> Int {
      options.recipe = plan.recipe
      return try ConversionPlan(source: source, options: options).outputByteCount
    }
    let least = try planner.plan(byteCount: planner.leastByteCount)
    let beside = try fileByteCount(least) - least.byteCount
    var room = byteCount - beside
    while true {
      guard room >= planner.leastByteCount else {
        throw PlanningError.budgetTooSmall(asked: byteCount, least: planner.leastByteCount + beside)
      }
      let found = try planner.plan(byteCount: room)
      let excess = try fileByteCount(found) - byteCount
      if excess <= 0 { return found }
      room -= excess
    }
  }
}
