import ArgumentParser
import Blip3o
import Documents
import Evidence
import InputStatistics
import JSONText
import NetworkRuntime
import Observation
import Reports
import Tensors

struct Calibrate: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Run a model and write down what its matrices are multiplied with: statistics that guide a quantizer.",
    discussion: """
      Texts are read, questions about pictures answered, prompts painted; of the inputs of every matrix and convolution that may be
      quantized the file keeps counts, largest values and second moments, over all steps and both rows of the guidance; what is worked
      out once for all steps counts once. Give it what the model will be used for, and judge the result on something else.

      The sums do not depend on the order of the documents: statistics of two halves, added by 'bantam statistics', are those of
      the whole. Sums lie in a temporary file (TMPDIR), not in memory.

      EXAMPLES
        bantam calibrate BLIP3o-Model-8B --prompts prompts.txt --images pictures -o 8b.statistics.safetensors
        bantam quantize BLIP3o-Model-8B -o 8b.bantam --encoding book4 --statistics 8b.statistics.safetensors
        bantam calibrate 8b-8bit.bantam --prompts prompts.txt --steps 8 --decoder-steps 8 -o s.safetensors
        bantam statistics half-1.safetensors half-2.safetensors -o whole.safetensors
      """)

  @Argument(help: "A release folder or a .bantam file. A quantized one will do, with a note.")
  var model: String

  @Option(name: .shortAndLong, help: "The safetensors file to write.")
  var output: String

  @Option(
    help: ArgumentHelp(
      "Columns whose products with each other are kept: a multiple of 32, or 0 for squares alone.", valueName: "columns"
    ))
  var block = 1024

  @OptionGroup var calibration: CalibrationOptions

  @OptionGroup var subjects: EvidenceOptions

  @OptionGroup var painting: PaintingOptions

  @OptionGroup var report: ReportOptions

  @OptionGroup var work: RuntimeOptions

  func validate() throws {
    guard block % 32 == 0, (0...16384).contains(block) else {
      throw ValidationError("--block takes a multiple of 32 up to 16384, or 0")
    }
  }

  func run() throws {
    let given = try subjects.read(try painting.options(), noise: try painting.givenNoise(), quiet: work.quiet)
    let meter = CompareMeter(isShown: !work.quiet)
    var run = RunOptions(
      threadCount: work.effort.threads ?? RunOptions.defaultThreadCount, mode: work.compute.compute ?? .f32,
      progress: { meter.show($0) })
    subjects.data.pixels.apply(to: &run)
    let model = try Model(path: self.model)
    try OutputFile.check(output, form: .safetensors)
    CalibrationOptions.tellIfQuantized(model, self.model, quiet: work.quiet)
    let candidate = try given.candidate(model, path: self.model, run)
    try EvidenceComparison.check(candidate)
    let calibrator = Calibrator(
      weights: Set(model.quantizableWeights), logitsPath: PaintingRun.outline.logitsPath,
      blockColumns: { [block] _ in block },
      pictureWeight: Float(calibration.pictureWeight), threadCount: run.threadCount)
    for subject in candidate.subjects {
      meter.begin(candidate.name, subject, of: candidate.subjects.count)
      _ = try subject.run(nil).run(observers: [calibrator])
    }
    meter.finish()
    let counts = Dictionary(grouping: candidate.subjects, by: \.kind.rawValue).mapValues(\.count)
    try StatisticsWriter.write(
      calibrator.moments, StatisticsSettings(given: settings(model, run), counts: counts), to: output)
    report.show(
      try StatisticsReport(StatisticsFile(path: output), expected: model.quantizableWeights).document)
  }

  /// What two runs must have in common for their sums to be added.
  private func settings(_ model: Model, _ run: RunOptions) throws -> JSONValue {
    let options = try painting.options()
    return .members([
      "family": .string(model.family), "model": .string(try model.fingerprint()), "quantized": .bool(model.isQuantized),
      "compute": .string(run.mode.rawValue),
      "block": .int(block), "picture_weight": .double(calibration.pictureWeight),
      "steps": .int(options.steps), "decoder_steps": .int(options.decoderSteps),
      "guidance": .double(Double(options.guidance)), "size": options.size.map { .int($0) } ?? .null,
      "negative": .string(options.negativePrompt), "context": .int(subjects.data.context),
      "max_tokens": .int(subjects.data.maxTokens),
    ])
  }
}
