import BantamArchive
import Checkpoints
import Tensors

extension ModelSource {
  /// The runs of bytes that a tensor of another program's file is stored in; nil for those of a `.bantam` file, which have planes.
  package func storedRuns(_ number: Int) -> [Checkpoint.StoredRun]? { checkpoint?.entries[number].stored }

  /// Whether the bytes as they are stored are those that ``stream(_:through:cancellation:_:)`` gives.
  package func isStoredPlain(_ number: Int) -> Bool {
    if case .plain? = checkpoint?.entries[number].content { true } else { false }
  }

  /// Bytes that ``streamStored(_:through:cancellation:_:)`` gives.
  package func streamedByteCount(_ number: Int) -> Int {
    switch storage {
    case .archive(let archive): archive.owner(of: number).planes.reduce(0) { $0 + $1.byteCount }
    case .checkpoint(let checkpoint): checkpoint.entries[number].storedByteCount
    }
  }

  /// Streams a tensor's bytes as they are stored, whether they can be decoded or not: plane after plane of a `.bantam` file, where
  /// a tensor that repeats another has that one's; run after run of any other.
  package func streamStored(
    _ number: Int, through buffer: AlignedBuffer, cancellation: Cancellation = .init(),
    _ body: (UnsafeRawBufferPointer) throws -> Void
  ) throws {
    func pieces(_ byteCount: Int, _ read: (Int, UnsafeMutableRawBufferPointer) throws -> Void) throws {
      for offset in stride(from: 0, to: byteCount, by: buffer.bytes.count) {
        try cancellation.check()
        let piece = UnsafeMutableRawBufferPointer(
          rebasing: buffer.bytes[..<min(buffer.bytes.count, byteCount - offset)])
        try read(offset, piece)
        try body(UnsafeRawBufferPointer(piece))
      }
    }
    switch storage {
    case .archive(let archive):
      let owner = archive.owner(of: number)
      for plane in owner.planes {
        try pieces(plane.byteCount) { try archive.read(plane, of: owner.info.name, at: $0, into: $1) }
      }
    case .checkpoint(let checkpoint):
      for run in checkpoint.entries[number].stored {
        try pieces(run.byteCount) { try checkpoint.read(run, at: $0, into: $1) }
      }
    }
  }
}
