// Lists the components of any readable source, and reads one tensor. Usage: example-inspect PATH
import Report
import Tensors

@main
enum Example {
  static func main() throws {
    let inspection = try Inspection(path: CommandLine.arguments[1])
    for component in inspection.components {
      print(component.name, component.tensors.count, Quantity.bytes(component.storedByteCount))
    }
    guard let first = inspection.tensors.first else { return }
    let buffer = try AlignedBuffer(byteCount: first.info.byteCount)
    try inspection.source.read(first.number, at: 0, into: buffer.bytes)
    print(first.name, first.info.dtype.name, first.info.shapeText, "first byte", buffer.bytes[0])
  }
}
