import ArgumentParser
import Blip3o
import Conversion
import Documents
import InputStatistics
import JSONText
import ModelSources
import NetworkRuntime
import Tensors

/// Data that guides a quantizer while the model runs.
struct SolvingOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Run the model on these prompts, one a line, and on what --images and --text name, and solve layer by layer.",
      valueName: "file"))
  var calibrateWith: String?

  @Option(
    help: ArgumentHelp(
      "What a picture's tokens count where words are read as well: there are many more of them.", valueName: "factor"))
  var pictureWeight = 0.25

  @OptionGroup var data: DataOptions

  @OptionGroup var painting: PaintingOptions

  var isGiven: Bool { calibrateWith != nil }

  func validate() throws {
    guard calibrateWith != nil || !data.isGiven else {
      throw ValidationError("--images and --text serve --calibrate-with")
    }
    guard pictureWeight > 0, pictureWeight <= 1 else {
      throw ValidationError("--picture-weight takes a number above 0, up to 1")
    }
  }

  /// The folder of tensors that data has guided: with those of an earlier run that was stopped, and with all that the model's own runs
  /// guide.
  /// - Parameters:
  ///   - plan: which tensors are quantized, and how.
  ///   - options: with the statistics, where they guide instead.
  func solved(
    _ plan: ConversionPlan, _ options: ConversionOptions, model path: String, _ output: String, _ work: WorkOptions
  ) throws -> SolvedTensors {
    guard let calibrateWith else {
      let data = try options.statistics?.fingerprint()
      return try open(plan, output, work, by: .members(["statistics": data.map { .string($0) } ?? .null]))
    }
    let inputs = try data.read(
      prompts: calibrateWith, try painting.options(), noise: try painting.givenNoise(), quiet: work.quiet)
    let model = try Model(path: path)
    var run = RunOptions(threadCount: work.threads ?? RunOptions.defaultThreadCount, mode: .f32)
    data.pixels.apply(to: &run)
    try inputs.candidate(model, path: path, run).subjects.forEach { try $0.run(nil).check() }
    let solved = try open(
      plan, output, work,
      by: .members([
        "model": .string(try model.fingerprint()), "subjects": inputs.settings,
        "picture_weight": .double(pictureWeight),
      ]))
    let solving = LayerwiseSolving(
      model, paintings: inputs.stagedPaintings(run), readings: try inputs.stagedReadings(model, run),
      pictureWeight: Float(pictureWeight), threadCount: run.threadCount)
    let meter = CountMeter("solve", isShown: !work.quiet)
    do { try solving.solve(plan, into: solved) { meter.show($0.done, $0.count, $0.component) } } catch {
      Self.leave(solved, after: error, quiet: work.quiet)
      throw error
    }
    meter.finish()
    return solved
  }

  private func open(
    _ plan: ConversionPlan, _ output: String, _ work: WorkOptions, by data: JSONValue
  ) throws -> SolvedTensors {
    let solved = try SolvedTensors.open(
      beside: output, for: .members(["plan": plan.identity, "data": data]))
    if solved.count > 0, !work.quiet {
      Terminal.say("note: going on behind \(solved.count) tensors in '\(solved.path)'")
    }
    return solved
  }

  /// Says where the work lies when it is not brought to its end; what is of no use goes.
  static func leave(_ solved: SolvedTensors, after error: any Error, quiet: Bool) {
    if solved.count == 0 || error is StatisticsError { return solved.remove() }
    if !quiet {
      Terminal.say("note: \(solved.count) tensors are kept in '\(solved.path)': the same command goes on behind them")
    }
  }
}
