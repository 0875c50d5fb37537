import Kernels
import ModelSources
import Synchronization
import Tensors

/// SHA-256 of a tensor's values, and of its bytes as they are stored. Both are defined in formats/sources.md, "Digests".
public struct TensorDigests: Sendable {
  /// Of the plain row-major bytes; nil where the values cannot be decoded.
  public let plain: Digest?
  /// Of the bytes in the file: of all planes, or of all runs, one after another.
  public let stored: Digest

  /// Digests of tensors of a source, by number.
  public static func all(of source: ModelSource, numbers: [Int], resources: Resources) throws -> [Int: TensorDigests] {
    let buffers = try (0..<resources.threadCount).map { _ in try AlignedBuffer(byteCount: Resources.streamByteCount) }
    let found = Mutex<[Int: TensorDigests]>([:])
    try Workers.run(threadCount: resources.threadCount, itemCount: numbers.count) { worker, item in
      let (number, buffer) = (numbers[item], buffers[worker])
      var plain: Digest?
      if source.isReadable(number) {
        plain = try digest(resources) { body in
          try source.stream(number, through: buffer, cancellation: resources.cancellation, body)
        }
      }
      let stored =
        if let plain, source.isStoredPlain(number) { plain } else {
          try digest(resources) { body in
            try source.streamStored(number, through: buffer, cancellation: resources.cancellation, body)
          }
        }
      found.withLock { $0[number] = TensorDigests(plain: plain, stored: stored) }
    }
    return found.withLock { $0 }
  }

  /// Bytes that are read for the digests of all of some tensors; no more than an indication where the sum overflows.
  public static func byteCount(of source: ModelSource, numbers: [Int]) -> Int {
    numbers.reduce(0) { sum, number in
      let plain = source.isReadable(number) ? source.tensors[number].info.byteCount : 0
      return sum &+ plain &+ (source.isStoredPlain(number) ? 0 : source.streamedByteCount(number))
    }
  }

  private static func digest(
    _ resources: Resources, _ stream: ((UnsafeRawBufferPointer) throws -> Void) throws -> Void
  ) throws -> Digest {
    let hash = SHA256()
    try stream {
      hash.update($0)
      resources.progress($0.count)
    }
    return hash.finish()
  }
}
