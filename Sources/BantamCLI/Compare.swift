import ArgumentParser
import Blip3o
import Documents
import Evidence
import Glibc
import JSONText
import ModelSources
import NetworkRuntime
import Observation
import Pictures
import Tensors

struct Compare: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Hold models against a reference: what each precision costs, in one table.",
    discussion: """
      All are given the same texts to read, pictures to describe and prompts to paint, with the same noise. The reference runs
      first, once: --save-reference keeps what it made, and such a file can stand in its place. Exit code 0, or 1 when a bound is
      missed.

      --text    documents, divided by empty lines: the logits behind each token (KL, top-1, top-5, perplexity)
      --images  a folder of pictures: the reference answers --question, or each line of NAME.txt beside NAME.png, and the logits
                before each token of its answer are compared; each model's own answer too
      --prompts a prompt a line: features, latents, pictures

      EXAMPLES
        bantam compare BLIP3o-Model-8B 8b-int8.bantam 8b-int4.bantam --prompts prompts.txt
        bantam compare 8b.bantam 8b-int4.bantam --text wiki.txt --compute f32,int8
        bantam compare 8b.bantam 8b-int4.bantam --images pictures --max-kl 0.05
        bantam compare 8b.bantam 8b-int8.bantam --prompts p.txt --save-reference 8b.reference.safetensors
        bantam compare 8b.reference.safetensors 8b-int4.bantam --prompts p.txt --save-pictures seen --format md
      """)

  @Argument(help: "The reference: a model, or what was kept of one.")
  var reference: String

  @Argument(help: "The models that are held against it.")
  var models: [String]

  @OptionGroup var subjects: EvidenceOptions

  @OptionGroup var painting: PaintingOptions

  @Option(
    help: ArgumentHelp("How the models' products are computed, such as auto,f32: a row for each.", valueName: "modes"))
  var compute = "auto"

  @Option(help: ArgumentHelp("How the reference's products are computed.", valueName: "mode"))
  var referenceCompute = ComputeMode.f32

  @Option(help: ArgumentHelp("Keep what the reference made: a safetensors file.", valueName: "file"))
  var saveReference: String?

  @Option(help: ArgumentHelp("Keep what each model made: safetensors files in a folder.", valueName: "folder"))
  var saveRecords: String?

  @Option(
    help: ArgumentHelp("Keep the pictures, and grids of the first 12 and their differences.", valueName: "folder"))
  var savePictures: String?

  @Option(help: ArgumentHelp("text, md, csv or json.", valueName: "format"))
  var format = DocumentFormat.text

  @OptionGroup var bounds: BoundOptions

  @OptionGroup var report: ReportOptions

  @OptionGroup var effort: EffortOptions

  func validate() throws {
    guard !models.isEmpty else { throw ValidationError("name a model to hold against the reference") }
    guard !modeNames.isEmpty else { throw ValidationError("--compute takes at least one mode") }
    // Their records and pictures would have one name.
    for list in [models, modeNames] where Set(list).count < list.count {
      throw ValidationError("a model or a mode is named twice: \(list.joined(separator: ", "))")
    }
    for mode in modeNames where ComputeMode(rawValue: mode) == nil {
      throw ValidationError("--compute takes f32, bf16, int8 and auto, with commas between: not '\(mode)'")
    }
  }

  private var modeNames: [String] { splitList(compute) ?? [] }

  func run() throws {
    let options = try painting.options()
    let given = try subjects.read(options, noise: try painting.givenNoise(), quiet: effort.quiet)
    let meter = CompareMeter(isShown: !effort.quiet)
    var run = RunOptions(
      threadCount: effort.threads ?? RunOptions.defaultThreadCount, progress: { meter.show($0) })
    subjects.data.pixels.apply(to: &run)
    // What cannot be is told before the work: of models, modes, and where things are to be written.
    let candidates = try models.flatMap { path in
      let model = try Model(path: path)
      return try modeNames.map { name in
        run.mode = ComputeMode(rawValue: name)!
        return try given.candidate(model, path: path, run)
      }
    }
    run.mode = referenceCompute
    let reference =
      EvidenceComparison.isRecord(reference)
      ? nil : try given.candidate(Model(path: reference), path: reference, run)
    try (candidates + [reference].compactMap(\.self)).forEach(EvidenceComparison.check)
    if let saveReference {
      guard reference != nil else {
        throw ValidationError("--save-reference: '\(self.reference)' is what was kept already")
      }
      try OutputFile.check(saveReference, form: .safetensors)
    }
    let folders = try EvidenceFolders(records: saveRecords, pictures: savePictures)
    let resources = Resources(threadCount: run.threadCount)
    let total = candidates[0].subjects.count
    let willRun: (String, EvidenceSubject) -> Void = { meter.begin($0, $1, of: total) }
    let keep = folders.keeping(EvidenceFolders.referenceLabel)
    let comparison: EvidenceComparison
    if let reference {
      let place = TemporaryRecord(keptAt: saveReference)
      defer { place.remove() }
      comparison = try EvidenceComparison(
        running: reference, settings: given.settings, recordPath: place.path, resources: resources, willRun: willRun,
        keep: keep)
    } else {
      comparison = try EvidenceComparison(
        reading: self.reference, settings: given.settings, subjects: candidates[0].subjects, resources: resources,
        willRun: willRun, keep: keep)
    }
    for candidate in candidates {
      let label = EvidenceFolders.label(candidate, among: candidates)
      try comparison.add(
        candidate, recordPath: folders.recordPath(label), keep: folders.keeping(label))
    }
    meter.finish()
    try folders.writeGrids()
    let found = EvidenceReport(comparison, outline: PaintingRun.outline, given: given.facts)
    report.show(found.document, as: format)
    let failures = found.failures(bounds.gates)
    guard !failures.isEmpty else { return }
    for failure in failures { Terminal.say("bantam: \(failure)") }
    Glibc.exit(ExitStatus.differs.rawValue)
  }
}
