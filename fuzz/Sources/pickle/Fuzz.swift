import FuzzSupport
import PickleFiles
import Tensors

let file = ScratchFile()

/// The pickles before a PyTorch file's own: a number, a version, and what the machine was like.
let head: [UInt8] = [
  0x80, 0x02, 0x8A, 0x0A, 0x6C, 0xFC, 0x9C, 0x46, 0xF9, 0x20, 0x6A, 0xA8, 0x50, 0x19, 0x2E, 0x80, 0x02, 0x4D, 0xE9,
  0x03,
  0x2E, 0x80, 0x02, 0x7D, 0x2E,
]

@main enum Fuzz: FuzzTarget {
  static func fuzz(_ bytes: [UInt8]) {
    if let source = try? PickleBytes(bytes), let document = try? PickleDocument(source, allows: { _ in true }) {
      precondition(document.endOffset <= bytes.count, "a pickle ends past its bytes")
      _ = document.pairs(document.root)
      _ = document.sequence(document.root)
    }
    // As the third pickle of a PyTorch file, with the list of its storages behind it.
    file.fill(head + bytes)
    readAll(file.path)
  }
}
