import ArgumentParser
import Reports
import Tensors

struct Inspect: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Show what a source holds. Reads headers only, unless values are asked for.",
    discussion: """
      EXAMPLES
        bantam inspect blip3o-8b.bantam
        bantam inspect BLIP3o-Model-8B --tree
        bantam inspect blip3o-8b.bantam --tensor llm.layers.7.mlp.down_proj.weight
        bantam inspect blip3o-8b.bantam --tensor '*.down_proj.weight'
        bantam inspect model-Q4_K_M.gguf --layout blk.0.attn_q.weight
        bantam inspect model.safetensors --json --digests
        bantam inspect model-Q4_K_M.gguf --metadata
        bantam inspect pytorch_model.bin --all

      TENSORS
        A pattern of --tensor is a shell's: *, ? and [...], over whole names,
        ours or those of the file. A pattern that is itself a name is that
        tensor alone; one that fits nothing is an error with the nearest names.
        The document of --json is always a list, in the order of --all:
        {"schema": "bantam.tensors.2", "path": ..., "tensors": [{...}, ...]}
        formats/json.md describes it, and all others.

      DIGESTS
        sha256 is that of the values, row-major, decoded where they are
        quantized; it is null where they cannot be. stored_sha256 is that
        of the bytes in the file: the ranges that --tensor lists under 'stored'
        or 'planes', one after another. In full: formats/sources.md.
      """)

  @Argument(help: "A folder, file, repository id or .bantam file.")
  var path: String

  @Flag(help: "A tree of names with the share of each part.")
  var tree = false

  @Option(
    help: ArgumentHelp(
      "Shape, dtypes, storage, provenance, statistics and first values of all tensors that a pattern fits.",
      valueName: "pattern")
  )
  var tensor: String?

  @Option(help: ArgumentHelp("Which bytes hold which rows, tiles or blocks of one tensor.", valueName: "name"))
  var layout: String?

  @Flag(help: "What the files say about themselves: keys and values.")
  var metadata = false

  @Flag(help: "Look for non-finite, zero, absurd and repeated tensors.")
  var health = false

  @Flag(help: "What quantization cost: tensors ranked by recorded error, worst first.")
  var quality = false

  @Flag(help: "SHA-256 of each tensor's values, and of its bytes as stored (with --json).")
  var digests = false

  @Option(help: "Read the source as this family.")
  var family: String?

  @OptionGroup var report: ReportOptions

  @OptionGroup var work: WorkOptions

  func validate() throws {
    if digests && !report.json { throw ValidationError("--digests needs --json") }
  }

  func run() throws {
    let inspection = try Inspection(path: path, family: family)
    if !work.quiet { for note in inspection.notes { Terminal.say("note: \(note)") } }
    if let tensor {
      return report.show(try details(of: inspection.tensors(matching: tensor), inspection).document)
    }
    if let layout {
      let limit = report.all ? .max : report.top ?? LayoutMap.usualLimit
      return report.show(LayoutMap(inspection, try inspection.tensor(named: layout), limit: limit).document)
    }
    if metadata { return report.show(inspection.metadataDocument) }
    if quality { return report.show(try QualityReport(inspection).document) }
    let byteCount = inspection.tensors.reduce(0) { $0 + $1.info.byteCount }
    if health {
      // Only sources without recorded statistics are read.
      let (resources, meter) = work.resources("health", total: byteCount)
      let check = try HealthCheck(inspection, resources: resources)
      if inspection.source.archive == nil { meter.finish() }
      return report.show(check.document)
    }
    if digests {
      let (source, numbers) = (inspection.source, inspection.tensors.map(\.number))
      let (resources, meter) = work.resources(
        "digests", total: TensorDigests.byteCount(of: source, numbers: numbers))
      let digests = try TensorDigests.all(of: source, numbers: numbers, resources: resources)
      meter.finish()
      return report.show(inspection.document(digests: digests))
    }
    report.show(inspection.document(isTree: tree))
  }

  private func details(of tensors: [Inspection.Tensor], _ inspection: Inspection) throws -> TensorReport {
    // Only sources without recorded statistics are read, and one tensor is soon done.
    guard inspection.source.archive == nil, tensors.count > 1 else {
      return try TensorReport(inspection, tensors, resources: work.resources())
    }
    let (resources, meter) = work.resources("statistics", total: tensors.reduce(0) { $0 + $1.info.byteCount })
    defer { meter.finish() }
    return try TensorReport(inspection, tensors, resources: resources)
  }
}
