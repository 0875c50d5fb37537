import FuzzSupport
import Tensors
import ZipFiles

let file = ScratchFile()

@main enum Fuzz: FuzzTarget {
  static func fuzz(_ bytes: [UInt8]) {
    file.fill(bytes)
    if let opened = try? ReadableFile(path: file.path), let archive = try? ZipArchive(opened) {
      var end = 0
      for entry in archive.entries {
        precondition(entry.offset >= end && entry.packedByteCount >= 0, "entries overlap")
        end = entry.offset + entry.packedByteCount
        precondition(end <= bytes.count, "an entry reaches past the end")
        _ = try? archive.contents(entry, limit: 1 << 16)
      }
    }
    readAll(file.path)
  }
}
