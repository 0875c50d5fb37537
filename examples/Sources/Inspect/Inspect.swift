// Lists the components of any readable source, and reads one tensor. Usage: example-inspect PATH
import Bantam

@main
enum Example {
  static func main() throws {
    let inspection = try Inspection(path: CommandLine.arguments[1])
    for component in inspection.components {
      print(component.name, component.tensors.count, "tensors", component.storedByteCount, "bytes")
    }
    guard let first = inspection.tensors.first else { return }
    var bytes = [UInt8](repeating: 0, count: first.info.byteCount)
    try bytes.withUnsafeMutableBytes { try inspection.source.read(first.number, at: 0, into: $0) }
    print(first.name, first.info.dtype.name, first.info.shapeText, "first byte", bytes[0])
  }
}
