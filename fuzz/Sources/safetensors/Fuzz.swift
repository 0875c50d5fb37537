import Checkpoints
import FuzzSupport
import Tensors

let file = ScratchFile()

@main enum Fuzz: FuzzTarget {
  static func fuzz(_ bytes: [UInt8]) {
    file.fill(bytes)
    if let opened = try? ReadableFile(path: file.path), let header = try? SafetensorsHeader(file: opened) {
      var end = header.dataOffset
      for entry in header.entries {
        precondition(entry.offset == end, "tensors leave a hole or overlap")
        end += entry.info.byteCount
      }
      precondition(end == bytes.count, "bytes belong to no tensor")
    }
    readAll(file.path)
  }
}
