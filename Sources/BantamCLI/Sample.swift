import Documents
import ArgumentParser
import JSONText
import Reports
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

  @Flag(help: "Print a JSON document.")
  var json = false

  @OptionGroup var work: WorkOptions

  func run() throws {
    let scale = SampleScale.all.first { $0.name == self.scale.rawValue }!
    try AtomicOutputFolder.check(path: folder)
    let writer = try SampleWriter(scale: scale, seed: seed, components: splitList(components))
    let (resources, meter) = work.resources("sample", total: writer.byteCount)
    try writer.write(to: folder, resources: resources)
    meter.finish()
    if json {
      let document: JSONValue = .members([
        "schema": "bantam.sample.1", "folder": .string(folder), "scale": .string(scale.name),
        "seed": .int(Int(truncatingIfNeeded: seed)), "tensor_bytes": .int(writer.byteCount),
      ])
      Terminal.print(document)
    } else {
      Terminal.print(
        "\(folder)  scale \(scale.name), seed \(seed), \(Quantity.bytes(writer.byteCount)) of tensors")
    }
  }
}
