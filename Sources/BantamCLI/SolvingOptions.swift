import ArgumentParser
import Blip3o
import Conversion
import Documents
import Encodings
import InputStatistics
import JSONText
import Kernels
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

  @OptionGroup var calibration: CalibrationOptions

  @OptionGroup var data: DataOptions

  @OptionGroup var painting: PaintingOptions

  var isGiven: Bool { calibrateWith != nil }

  func validate() throws {
    guard try calibrateWith != nil || isUsual() else {
      throw ValidationError("options of texts, pictures and painting serve --calibrate-with")
    }
  }

  private func isUsual() throws -> Bool {
    let (usualData, usualPainting) = (try DataOptions.parse([]), try PaintingOptions.parse([]))
    let usualCalibration = try CalibrationOptions.parse([])
    return try data.texts == usualData.texts && data.numbers == usualData.numbers
      && painting.options() == usualPainting.options() && painting.noise == nil
      && calibration.pictureWeight == usualCalibration.pictureWeight
  }

  /// What the runs need, read and checked before any work.
  struct Prepared {
    let model: Model
    let inputs: EvidenceInputs
    let run: RunOptions
  }

  /// - Returns: nil where no runs are asked for.
  func prepared(_ path: String, _ work: WorkOptions) throws -> Prepared? {
    guard let calibrateWith else { return nil }
    let inputs = try data.read(
      prompts: calibrateWith, try painting.options(), noise: try painting.givenNoise(), quiet: work.quiet)
    let model = try Model(path: path)
    var run = RunOptions(threadCount: work.threads ?? RunOptions.defaultThreadCount, mode: .f32)
    data.pixels.apply(to: &run)
    try inputs.candidate(model, path: path, run).subjects.forEach { try $0.run(nil).check() }
    CalibrationOptions.tellIfQuantized(model, path, quiet: work.quiet)
    return Prepared(model: model, inputs: inputs, run: run)
  }

  /// The folder of tensors that data has guided: with those of an earlier run that was stopped, and with all that the model's own runs
  /// guide.
  /// - Parameters:
  ///   - plan: which tensors are quantized, and how.
  ///   - statistics: what guides, where no runs do.
  func solved(
    _ plan: ConversionPlan, _ statistics: StatisticsFile?, _ prepared: Prepared?, _ output: String, _ work: WorkOptions
  ) throws -> SolvedTensors {
    guard let prepared else {
      let data = try statistics?.fingerprint()
      return try open(plan, output, work, by: .members(["statistics": data.map { .string($0) } ?? .null]))
    }
    try check(plan, prepared)
    let solved = try open(
      plan, output, work,
      by: .members([
        "model": .string(try prepared.model.fingerprint()), "subjects": .string(prepared.inputs.fingerprint),
        "min_pixels": prepared.run.minPixels.map { .int($0) } ?? .null,
        "max_pixels": prepared.run.maxPixels.map { .int($0) } ?? .null,
        "picture_weight": .double(calibration.pictureWeight),
      ]))
    let solving = LayerwiseSolving(
      prepared.model, paintings: prepared.inputs.stagedPaintings(prepared.run),
      readings: try prepared.inputs.stagedReadings(prepared.model, prepared.run),
      pictureWeight: Float(calibration.pictureWeight), threadCount: prepared.run.threadCount)
    let meter = CountMeter("solve", isShown: !work.quiet)
    do { try solving.solve(plan, into: solved) { meter.show($0.done, $0.count, $0.component) } } catch {
      Self.leave(solved, quiet: work.quiet)
      throw error
    }
    meter.finish()
    return solved
  }

  /// - Throws: a usage error where runs would guide nothing.
  private func check(_ plan: ConversionPlan, _ prepared: Prepared) throws {
    guard plan.map.family == prepared.model.family else {
      throw ValidationError("--calibrate-with runs '\(prepared.model.family)': give no other --family")
    }
    guard !plan.matrixNames.isEmpty else {
      throw ValidationError("no matrix is quantized that --calibrate-with could guide")
    }
  }

  private func open(
    _ plan: ConversionPlan, _ output: String, _ work: WorkOptions, by data: JSONValue
  ) throws -> SolvedTensors {
    let solved = try SolvedTensors.open(
      beside: output, for: .members(["plan": plan.identity, "data": data]))
    if solved.count > 0, !work.quiet {
      Terminal.say("note: going on behind \(solved.count) tensors in '\(solved.path)'")
    }
    do { try plan.requireRoom(for: solved, output: output) } catch {
      Self.leave(solved, quiet: work.quiet)
      throw error
    }
    return solved
  }

  /// Says where the work lies when it is not brought to its end; an empty folder goes.
  static func leave(_ solved: SolvedTensors, quiet: Bool) {
    if solved.count == 0 { return solved.remove() }
    if !quiet {
      Terminal.say("note: \(solved.count) tensors are kept in '\(solved.path)': the same command goes on behind them")
    }
  }
}

extension DataOptions {
  fileprivate var texts: [String?] { [images, text, question] }
  fileprivate var numbers: [Int?] { [seeds, maxTokens, context, pixels.minPixels, pixels.maxPixels] }
}

extension EvidenceInputs {
  /// A digest of all that models are given: texts, pixels, noise and settings.
  fileprivate var fingerprint: String {
    let hash = SHA256()
    hash.update(settings.text())
    for question in questions {
      hash.update("\n\(question.picture.width) \(question.picture.height) ")
      question.picture.pixels.withUnsafeBytes { hash.update($0) }
    }
    for (name, values) in noise.sorted(by: { $0.key < $1.key }) {
      hash.update("\n\(name) ")
      values.withUnsafeBytes { hash.update($0) }
    }
    return hash.finish().description
  }
}
