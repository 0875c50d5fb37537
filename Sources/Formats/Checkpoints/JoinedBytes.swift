import Encodings
import Tensors

/// Plain bytes that lie in several runs, perhaps in several files. What is left over at the end is padding.
struct JoinedBytes: StoredTensor {
  struct Piece {
    let source: any ByteSource
    let offset: Int
    let byteCount: Int
  }

  let encodingName: String
  var isLossy: Bool { false }
  let pieces: [Piece]

  var storedByteCount: Int { pieces.reduce(0) { $0 + $1.byteCount } }

  func read(at offset: Int, into buffer: UnsafeMutableRawBufferPointer) throws(FileError) {
    var start = 0
    let wanted = offset..<offset + buffer.count
    for piece in pieces {
      let inside = wanted.clamped(to: start..<start + piece.byteCount)
      if !inside.isEmpty {
        let target = buffer[(inside.lowerBound - offset)..<(inside.upperBound - offset)]
        try piece.source.read(
          at: piece.offset + inside.lowerBound - start, into: UnsafeMutableRawBufferPointer(rebasing: target))
      }
      start += piece.byteCount
    }
  }
}
