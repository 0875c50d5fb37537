import ArgumentParser
import Blip3o
import Documents
import Encodings
import Evidence
import InputStatistics
import JSONText
import ModelSources
import NetworkRuntime
import Planning
import Quantization
import Reports
import Sensitivity
import Tensors

struct SensitivityCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "sensitivity",
    abstract: "Measure what errors of each tensor do to answers, features and pictures: a table for budgets.",
    discussion: """
      Each tensor in turn is brought to the probe's encoding, all others stay, and the model is run: what comes before the tensor's
      network is not computed anew. Other encodings are predicted by their error beside the probe's, with --statistics that of the
      outputs; a tenth of them is measured as a check. --by role takes the same matrix of all layers together, which is many times
      faster. Few steps will do: compare what they tell with what many tell before you trust them.

      A run that was stopped goes on where it was when it is started again.

      EXAMPLES
        bantam sensitivity BLIP3o-Model-8B --prompts prompts.txt --by role --steps 4 --decoder-steps 2 --size 512 -o 8b.sensitivity.json
        bantam sensitivity model.bantam --prompts p.txt --images pictures --statistics s.safetensors -o model.sensitivity.json
        bantam quantize BLIP3o-Model-8B --bits 4.2 --sensitivity 8b.sensitivity.json --statistics s.safetensors -o 8b.bantam
      """)

  @Argument(help: "A release folder or a .bantam file, at full precision.")
  var model: String

  @Option(name: .shortAndLong, help: "The JSON file to write.")
  var output: String

  enum Grouping: String, ExpressibleByArgument, CaseIterable {
    case tensor, role
  }

  @Option(help: "A row for each tensor, or for each role: the same matrix of all layers.")
  var by = Grouping.tensor

  @Option(help: ArgumentHelp("The encoding whose effects are measured.", valueName: "encoding"))
  var probe = BookEncoding.book4.shortName

  @Option(
    help: ArgumentHelp("Only tensors by name; * stands for any characters. May be repeated.", valueName: "pattern"))
  var only: [String] = []

  @Option(help: ArgumentHelp("What 'bantam calibrate' has written of this model.", valueName: "file"))
  var statistics: String?

  @OptionGroup var subjects: EvidenceOptions

  @OptionGroup var painting: PaintingOptions

  @OptionGroup var report: ReportOptions

  @OptionGroup var work: RuntimeOptions

  func run() throws {
    let given = try subjects.read(try painting.options(), noise: try painting.givenNoise(), quiet: work.quiet)
    guard case .encode(let probe) = try QuantizationRecipe.action(probe),
      PlanInputs.encodings.contains(where: { $0.name == probe.name })
    else {
      throw ValidationError("--probe takes \(PlanInputs.encodings.map(\.shortName).joined(separator: ", "))")
    }
    let model = try Model(path: model)
    try OutputFile.check(output, form: .json)
    let file = try statistics.map { try StatisticsFile(path: $0) }
    var run = RunOptions(
      threadCount: work.effort.threads ?? RunOptions.defaultThreadCount, mode: work.compute.compute ?? .f32)
    subjects.data.pixels.apply(to: &run)
    let groups = try self.groups(model)
    let resources = Resources(threadCount: run.threadCount)
    try given.candidate(model, path: self.model, run).subjects.forEach { try $0.run(nil).check() }
    let meter = CountMeter("sensitivity", isShown: !work.quiet)
    // Small networks leave threads idle: there, each subject has one.
    let threadCount = run.threadCount
    let isSmall = model.weightByteCount < 256 << 20
    if isSmall { run.threadCount = 1 }
    meter.say("running the model as it is")
    let sensitivity = try SensitivityRun(
      model, paintings: given.stagedPaintings(run), readings: given.stagedReadings(model, run), statistics: file,
      resources: resources, subjectsAtOnce: isSmall ? threadCount : 1)
    let trials = CountMeter("errors of all encodings", isShown: !work.quiet)
    let errors = try model.trialErrors(
      groups.flatMap(\.members), PlanInputs.encodings, statistics: file, resources: resources, progress: trials.show)
    trials.finish()
    let settings = try self.settings(given, file, model, run)
    let head = settings.text() + " " + probe.name
    let journal = try Journal.open(path: output + ".journal", head: head)
    if !journal.lines.isEmpty, !work.quiet { Terminal.say("note: going on behind \(journal.lines.count) results") }
    let table = try sensitivity.table(
      groups, probe: probe, errors: errors, given: settings, journal: journal, progress: meter.show)
    meter.finish()
    try AtomicOutputFile(path: output).commit(Array((table.json.text(indent: 1) + "\n").utf8))
    journal.journal.remove()
    report.show(SensitivityReport(table, output).document)
  }

  private func groups(_ model: Model) throws -> [SensitivityRun.Group] {
    let names = model.runWeights.filter { name in
      (only.isEmpty || only.contains { TensorName(name).matches(pattern: $0) })
    }
    guard !names.isEmpty else { throw ValidationError("no tensor that may be quantized has such a name") }
    if by == .tensor { return names.map { .init(name: $0, members: [$0]) } }
    var (order, members): ([String], [String: [String]]) = ([], [:])
    for name in names {
      // Layers, blocks and experts are counted by parts that are numbers.
      let role = name.split(separator: ".").map { Int($0) == nil ? String($0) : "*" }.joined(separator: ".")
      if members[role] == nil { order.append(role) }
      members[role, default: []].append(name)
    }
    return order.map { .init(name: $0, members: members[$0]!) }
  }

  private func settings(
    _ given: EvidenceInputs, _ statistics: StatisticsFile?, _ model: Model, _ run: RunOptions
  ) throws -> JSONValue {
    .members([
      "family": .string(model.family), "model": .string(try model.fingerprint()), "compute": .string(run.mode.rawValue),
      "by": .string(by.rawValue),
      "only": .array(only.map { .string($0) }), "subjects": given.settings,
      "statistics": try statistics.map { .string(try $0.fingerprint()) } ?? .null,
    ])
  }
}
