import Kernels
import ModelSources
import Tensors

/// Two stored tensors of one shape side by side, streamed: as numbers, or as bytes.
enum TensorComparison {
  /// Elements that are compared at once: a whole number of blocks, small enough for the cache.
  private static let runCount = 1 << 14

  /// Streams both sides as f32.
  /// - Precondition: both are real, readable, and of one shape.
  static func difference(
    _ a: ModelSource, _ left: Int, _ b: ModelSource, _ right: Int, _ resources: Resources
  ) throws -> (values: ValueDifference, worstBlock: WorstBlock) {
    var values = ValueDifference()
    var worst = WorstBlock()
    let queue = try FloatQueue()
    let buffer = try AlignedBuffer(byteCount: Resources.streamByteCount)
    let scratch = try AlignedBuffer(byteCount: runCount * 4)
    let other = try SequentialReader(b, right)
    try a.stream(left, through: buffer, cancellation: resources.cancellation) { bytes in
      try queue.widen(bytes, a.tensors[left].info.dtype) { run in
        let target = UnsafeMutableBufferPointer(
          rebasing: scratch.bytes.assumingMemoryBound(to: Float.self)[..<run.count])
        try other.next(into: target)
        values.add(run, UnsafeBufferPointer(target))
        worst.add(run, UnsafeBufferPointer(target))
      }
      resources.progress(bytes.count)
    }
    return (values, worst)
  }

  /// Widens pieces of any real type to runs of f32.
  private struct FloatQueue {
    let floats: AlignedBuffer

    init() throws(FileError) { floats = try AlignedBuffer(byteCount: runCount * 4) }

    func widen(
      _ bytes: UnsafeRawBufferPointer, _ dtype: DType, _ body: (UnsafeBufferPointer<Float>) throws -> Void
    ) throws {
      let width = dtype.bitWidth / 8
      let count = bytes.count / width
      let target = floats.bytes.assumingMemoryBound(to: Float.self)
      for first in stride(from: 0, to: count, by: runCount) {
        let length = min(runCount, count - first)
        ElementCast.widen(
          count: length, from: bytes.baseAddress! + first * width, dtype, to: target.baseAddress!)
        try body(UnsafeBufferPointer(rebasing: target[..<length]))
      }
    }
  }
}

/// Reads the values of a tensor from front to back as f32, a run at a time.
private final class SequentialReader {
  private let source: ModelSource
  private let number: Int
  private let dtype: DType
  private let columns: Int
  private let total: Int
  private var position = 0
  /// Values that were read and not yet handed out.
  private var held: AlignedBuffer
  private var heldRange = 0..<0

  init(_ source: ModelSource, _ number: Int) throws {
    self.source = source
    self.number = number
    let info = source.tensors[number].info
    dtype = info.dtype
    total = info.elementCount
    columns = max(1, info.matrix.columns)
    // Quantized tensors are decoded sixteen rows at a time: smaller reads would decode them again and again.
    let run = min(total, max(1 << 14, min(16 * columns, 1 << 20)))
    held = try AlignedBuffer(byteCount: max(4, run * 4))
  }

  func next(into target: UnsafeMutableBufferPointer<Float>) throws {
    var done = 0
    while done < target.count {
      if heldRange.isEmpty { try fill() }
      let count = min(heldRange.count, target.count - done)
      let floats = held.bytes.assumingMemoryBound(to: Float.self)
      target.baseAddress!.advanced(by: done).update(
        from: floats.baseAddress! + heldRange.lowerBound, count: count)
      heldRange = heldRange.lowerBound + count..<heldRange.upperBound
      done += count
    }
  }

  private func fill() throws {
    let capacity = held.bytes.count / 4
    let run = columns * 16 <= capacity ? columns * 16 : capacity
    let count = min(run, total - position)
    let width = dtype.bitWidth / 8
    if dtype == .f32 {
      let part = UnsafeMutableRawBufferPointer(rebasing: held.bytes[..<(count * 4)])
      try source.read(number, at: position * 4, into: part)
    } else {
      let narrow = try AlignedBuffer(byteCount: count * width)
      try source.read(number, at: position * width, into: narrow.bytes)
      ElementCast.widen(
        count: count, from: narrow.bytes.baseAddress!, dtype,
        to: held.bytes.assumingMemoryBound(to: Float.self).baseAddress!)
    }
    position += count
    heldRange = 0..<count
  }
}
