import ArgumentParser
import Documents
import Samples
import Tensors

struct Sample: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Write a synthetic release folder: the released layout, made-up weights.",
    discussion: """
      The same scale and seed give the same bytes. 8b takes 33 GB of disk, 24.5 GB without the unused towers:
        bantam sample big --scale 8b --components vision,queries,llm,dit,unet,vae
      """)

  enum Scale: String, ExpressibleByArgument, CaseIterable {
    case tiny, small
    case release4B = "4b"
    case release8B = "8b"
  }

  @Argument(help: "The folder to make.")
  var folder: String

  @Option(help: "Sizes: \(Scale.allCases.map(\.rawValue).joined(separator: ", ")).")
  var scale = Scale.tiny

  @Option(help: "Another seed gives other weights.")
  var seed: UInt64 = 0

  @Option(help: ArgumentHelp("Components to write. (default: all, as in the release)", valueName: "list"))
  var components: String?

  @OptionGroup var report: ReportOptions

  @OptionGroup var work: WorkOptions

  func run() throws {
    let scale = SampleScale.all.first { $0.name == self.scale.rawValue }!
    try AtomicOutputFolder.check(path: folder)
    let writer = try SampleWriter(scale: scale, seed: seed, components: splitList(components))
    let (resources, meter) = work.resources("sample", total: writer.byteCount)
    try writer.write(to: folder, resources: resources)
    meter.finish()
    var document = Document(schema: "bantam.sample.1")
    document.fact("folder", "folder", .text(folder))
    document.fact("scale", "scale", .text(scale.name))
    // Beyond what JSON readers hold exactly as an integer of 64 bits, as text.
    document.fact("seed", "seed", Int(exactly: seed).map { .count($0) } ?? .text("\(seed)"))
    document.fact("tensor_bytes", "tensors", .bytes(writer.byteCount))
    report.show(document)
  }
}
