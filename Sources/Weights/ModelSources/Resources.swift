import Kernels
import Tensors

/// How much of the machine a job may use.
public struct Resources: Sendable {
  public var threadCount: Int
  /// Bytes for buffers.
  public var memoryByteCount: Int
  public var cancellation: Cancellation
  /// Called with the number of bytes done since the last call, from any thread.
  public var progress: @Sendable (Int) -> Void

  /// As many threads as processors, at most 16.
  public static var defaultThreadCount: Int { Workers.usualCount }

  public init(
    threadCount: Int = Resources.defaultThreadCount, memoryByteCount: Int = 128 << 20,
    cancellation: Cancellation = .init(), progress: @escaping @Sendable (Int) -> Void = { _ in }
  ) {
    self.threadCount = max(1, threadCount)
    self.memoryByteCount = memoryByteCount
    self.cancellation = cancellation
    self.progress = progress
  }

  /// Bytes of the buffer through which one thread streams: small enough to stay in its cache.
  public static let streamByteCount = 256 << 10

  /// Buffers of a thread: source, target, and f32 between them.
  static let bufferByteCountPerThread = streamByteCount * (1 + 4 + 4)

  /// Bytes of all buffers.
  public var bufferByteCount: Int { threadCount * Self.bufferByteCountPerThread }

  /// - Throws: ``ResourcesError/memoryTooSmall(asked:needed:)``.
  package func checkMemory() throws(ResourcesError) {
    guard memoryByteCount >= bufferByteCount else {
      throw .memoryTooSmall(asked: memoryByteCount, needed: bufferByteCount)
    }
  }
}

/// What can be wrong with what a job may use.
public enum ResourcesError: ReportingError, Equatable {
  case memoryTooSmall(asked: Int, needed: Int)

  public var report: ErrorReport {
    switch self {
    case .memoryTooSmall(let asked, let needed):
      ErrorReport(
        .usage, at: "memory for buffers", "is too small", expected: "at least \(needed) bytes", found: "\(asked)")
    }
  }
}

/// The buffers of one thread.
package struct StreamBuffers: Sendable {
  package let source: AlignedBuffer
  package let target: AlignedBuffer
  package let scratch: AlignedBuffer

  package init() throws(FileError) {
    source = try AlignedBuffer(byteCount: Resources.streamByteCount)
    target = try AlignedBuffer(byteCount: 4 * Resources.streamByteCount)
    scratch = try AlignedBuffer(byteCount: 4 * Resources.streamByteCount)
  }

  /// A piece of a tensor as another type; as it is where it has that already.
  /// - Parameter bytes: at most ``Resources/streamByteCount``.
  /// - Returns: bytes that are valid until the next call.
  package func cast(_ bytes: UnsafeRawBufferPointer, from source: DType, to dtype: DType) -> UnsafeRawBufferPointer {
    guard source != dtype else { return bytes }
    let count = bytes.count * 8 / source.bitWidth
    ElementCast.cast(
      count: count, from: bytes.baseAddress!, source, to: target.bytes.baseAddress!, dtype,
      scratch: scratch.bytes.baseAddress!.assumingMemoryBound(to: Float.self))
    return UnsafeRawBufferPointer(rebasing: target.bytes[..<(count * dtype.bitWidth / 8)])
  }
}
