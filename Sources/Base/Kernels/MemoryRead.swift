import CKernels
import Tensors

/// Plain reads of memory: what a product of one row can at best reach.
public struct MemoryRead: Sendable, Equatable {
  /// Bytes a second, all threads together.
  public let rate: Double
  /// Places that each thread reads at side by side.
  public let streamCount: Int
  /// How far ahead each asks for bytes; 0 leaves that to the processor.
  public let prefetchDistance: Int

  /// Every way to read: processors follow one stream worse than several, some follow eight worse than two.
  private static let ways = [1, 2, 4, 8].flatMap { streams in [0, 2048, 4096].map { (streams, $0) } }

  /// The best way to read these bytes again and again. They should be more than caches hold: 3 GB where the machine has them.
  /// - Precondition: not empty.
  public init(of bytes: UnsafeRawBufferPointer, threadCount: Int) {
    nonisolated(unsafe) let base = bytes.baseAddress!
    func measure(_ streams: Int, _ ahead: Int) -> Self {
      let part = bytes.count / threadCount / (256 * streams) * (256 * streams)
      let start = MonotonicClock.nanoseconds
      Workers.share(partCount: threadCount) { number in
        _ = ck_read_memory(base + number * part, part, streams, ahead)
      }
      let rate = Double(part * threadCount) / Double(max(1, MonotonicClock.nanoseconds - start)) * 1e9
      return Self(rate: rate, streamCount: streams, prefetchDistance: ahead)
    }
    let first = Self.ways.map(measure).sorted { $0.rate > $1.rate }
    let again = first.prefix(4).flatMap { way in (0..<4).map { _ in measure(way.streamCount, way.prefetchDistance) } }
    self = (first + again).max { $0.rate < $1.rate }!
  }

  private init(rate: Double, streamCount: Int, prefetchDistance: Int) {
    self.rate = rate
    self.streamCount = streamCount
    self.prefetchDistance = prefetchDistance
  }

  /// The best over memory of this process alone: 3 GB, or a third of what is free.
  /// - Throws: ``FileError/outOfMemory(byteCount:)``.
  public static func ofPrivateMemory(threadCounts: [Int], available: Int) throws(FileError) -> [MemoryRead] {
    let buffer = try AlignedBuffer(byteCount: min(3_000_000_000, max(1 << 24, available / 3)))
    buffer.bytes.initializeMemory(as: UInt8.self, repeating: 1)
    return withExtendedLifetime(buffer) {
      threadCounts.map { MemoryRead(of: UnsafeRawBufferPointer(buffer.bytes), threadCount: $0) }
    }
  }

  /// The best over a mapped file, up to 4 GB of it, read once before.
  /// - Throws: ``FileError``.
  public static func ofFile(path: String, threadCounts: [Int]) throws(FileError) -> [MemoryRead] {
    let mapping = try MappedFile(ReadableFile(path: path))
    guard mapping.byteCount >= 1 << 24 else { return [] }
    return withExtendedLifetime(mapping) {
      let bytes = mapping.bytes(at: 0, count: min(mapping.byteCount, 4_000_000_000))
      _ = ck_read_memory(bytes.baseAddress!, bytes.count / 256 * 256, 1, 0)
      return threadCounts.map { MemoryRead(of: bytes, threadCount: $0) }
    }
  }
}
