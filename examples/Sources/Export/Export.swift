// Writes any source as safetensors, under its release's names. Usage: example-export SOURCE FOLDER
import Bantam

@main
enum Example {
  static func main() throws {
    let plan = try SafetensorsExport().plan(ModelSource(path: CommandLine.arguments[1]))
    print("\(plan.files.count) files, \(plan.outputByteCount) bytes")
    try Exporter.run(plan, to: CommandLine.arguments[2], resources: Resources())
  }
}
