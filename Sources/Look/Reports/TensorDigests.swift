import BantamArchive
import Kernels
import ModelSources
import Synchronization
import Tensors

/// SHA-256 of a tensor's plain row-major bytes, and of its bytes as they are stored.
public struct TensorDigests: Sendable {
  public let plain: Digest
  /// Nil for a tensor that another program's layout stores in another form than plain.
  public let stored: Digest?

  /// Digests of all tensors of a source, by number.
  public static func all(of source: ModelSource, numbers: [Int], resources: Resources) throws -> [Int: TensorDigests] {
    let buffers = try (0..<resources.threadCount).map { _ in try AlignedBuffer(byteCount: Resources.streamByteCount) }
    let found = Mutex<[Int: TensorDigests]>([:])
    let numbers = numbers.filter(source.isReadable)
    try Workers.run(threadCount: resources.threadCount, itemCount: numbers.count) { worker, item in
      let number = numbers[item]
      let plain = SHA256()
      try source.stream(number, through: buffers[worker], cancellation: resources.cancellation) {
        plain.update($0)
        resources.progress($0.count)
      }
      let plainDigest = plain.finish()
      var stored = source.tensors[number].encoding == "plain" ? plainDigest : nil
      if let archive = source.archive { stored = try storedDigest(archive, number, buffers[worker]) }
      found.withLock { $0[number] = TensorDigests(plain: plainDigest, stored: stored) }
    }
    return found.withLock { $0 }
  }

  /// Over all planes in their order; an alias has those of its owner.
  private static func storedDigest(_ archive: Archive, _ number: Int, _ buffer: AlignedBuffer) throws -> Digest {
    let hash = SHA256()
    let tensor = archive.owner(of: number)
    for plane in tensor.planes {
      var offset = 0
      while offset < plane.byteCount {
        let part = UnsafeMutableRawBufferPointer(
          rebasing: buffer.bytes[..<min(buffer.bytes.count, plane.byteCount - offset)])
        try archive.read(plane, of: tensor.info.name, at: offset, into: part)
        hash.update(UnsafeRawBufferPointer(part))
        offset += part.count
      }
    }
    return hash.finish()
  }
}
