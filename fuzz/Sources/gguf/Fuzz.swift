import FuzzSupport
import GGUF
import Tensors

let file = ScratchFile()

@main enum Fuzz: FuzzTarget {
  static func fuzz(_ bytes: [UInt8]) {
    file.fill(bytes)
    if let opened = try? ReadableFile(path: file.path), let header = try? GGUFHeader(opened) {
      var end = 0
      for tensor in header.tensors {
        precondition(tensor.offset >= end, "tensors overlap")
        end = tensor.offset + tensor.byteCount
        precondition(end <= bytes.count, "a tensor reaches past the end")
      }
    }
    readAll(file.path)
  }
}
