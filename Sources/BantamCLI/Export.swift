import Archive
import ArgumentParser
import Conversion
import JSON
import Report
import Tensors

struct Export: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Write a .bantam file back as safetensors, under the release's own names and files.",
    discussion: """
      Without --dtype every tensor comes back byte for byte; a quantized one is decoded to f32.

      EXAMPLES
        bantam export blip3o-8b.bantam --to safetensors -o BLIP3o-Model-8B
        bantam export blip3o-8b.bantam --to safetensors -o f32 --dtype f32
      """)

  enum Format: String, ExpressibleByArgument, CaseIterable { case safetensors }

  @Argument(help: "The .bantam file.")
  var file: String

  @Option(help: "The format to write: safetensors.")
  var to: Format

  @Option(name: .shortAndLong, help: "The folder to make. An earlier export is replaced.")
  var output: String

  @Option(help: "Cast f32, f16 and bf16 tensors: keep, f32, f16, bf16.")
  var dtype = TargetDType.keep

  @Flag(help: "Print a JSON document.")
  var json = false

  @OptionGroup var work: WorkOptions

  func run() throws {
    let archive = try Archive(path: file)
    try AtomicOutputFolder.check(path: output)
    let total = Exporter.inputByteCount(archive)
    let (resources, meter) = work.resources("export", total: total)
    try Exporter.run(archive, dtype: dtype.dtype, to: output, resources: resources)
    meter.finish()
    if json {
      let document: JSONValue = .members([
        "schema": "bantam.export.1", "file": .string(file), "output": .string(output),
        "tensors": .int(archive.index.tensors.count), "tensor_bytes": .int(total),
      ])
      Terminal.print(document)
    } else {
      Terminal.print("\(output)  \(archive.index.tensors.count) tensors  \(Quantity.bytes(total))")
    }
  }
}
