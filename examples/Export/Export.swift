// Writes a native file back as safetensors, byte for byte. Usage: example-export FILE FOLDER
import Archive
import Conversion

@main
enum Example {
  static func main() throws {
    let archive = try Archive(path: CommandLine.arguments[1])
    print("components:", archive.index.components.map(\.name).joined(separator: ", "))
    try Exporter.run(archive, dtype: nil, to: CommandLine.arguments[2], resources: Resources())
  }
}
