import ArgumentParser
import JSONText
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
        {"schema": "bantam.tensors.1", "path": ..., "tensors": [{...}, ...]}

      DIGESTS
        sha256 is that of the values, row-major, decoded where they are
        quantized; it is left out where they cannot be. stored_sha256 is that
        of the bytes in the file: the ranges that --tensor lists under 'stored'
        or 'planes', one after another. In full: formats/sources.md.
      """)

  @Argument(help: "A folder, file, repository id or .bantam file.")
  var path: String

  @Flag(help: "A tree of names with the share of each part.")
  var tree = false

  @Flag(help: "Every tensor on a line of its own.")
  var all = false

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

  @Flag(help: "Print a JSON document.")
  var json = false

  @OptionGroup var work: WorkOptions

  func validate() throws {
    if digests && !json { throw ValidationError("--digests needs --json") }
  }

  func run() throws {
    let inspection = try Inspection(path: path, family: family)
    if !work.quiet { for note in inspection.notes { Terminal.say("note: \(note)") } }
    if let tensor {
      return Terminal.print(try report(of: inspection.tensors(matching: tensor), inspection), asJSON: json)
    }
    if let layout {
      return Terminal.print(LayoutMap(inspection, try inspection.tensor(named: layout)), asJSON: json)
    }
    if metadata && !json { return Terminal.print(lines: inspection.metadataLines()) }
    if quality {
      return Terminal.print(try QualityReport(inspection), asJSON: json)
    }
    let byteCount = inspection.tensors.reduce(0) { $0 + $1.info.byteCount }
    if health {
      // Only sources without recorded statistics are read.
      let (resources, meter) = work.resources("health", total: byteCount)
      let check = try HealthCheck(inspection, resources: resources)
      if inspection.source.archive == nil { meter.finish() }
      return Terminal.print(check, asJSON: json)
    }
    if digests {
      let (source, numbers) = (inspection.source, inspection.tensors.map(\.number))
      let (resources, meter) = work.resources(
        "digests", total: TensorDigests.byteCount(of: source, numbers: numbers))
      let digests = try TensorDigests.all(of: source, numbers: numbers, resources: resources)
      meter.finish()
      return Terminal.print(inspection.json(digests: digests), indent: 1)
    }
    if json { return Terminal.print(inspection.json(), indent: 1) }
    Terminal.print(lines: tree ? inspection.tree() : inspection.lines(allTensors: all))
  }

  private func report(of tensors: [Inspection.Tensor], _ inspection: Inspection) throws -> TensorReport {
    // Only sources without recorded statistics are read, and one tensor is soon done.
    guard inspection.source.archive == nil, tensors.count > 1 else {
      return try TensorReport(inspection, tensors, resources: work.resources())
    }
    let (resources, meter) = work.resources("statistics", total: tensors.reduce(0) { $0 + $1.info.byteCount })
    defer { meter.finish() }
    return try TensorReport(inspection, tensors, resources: resources)
  }
}
