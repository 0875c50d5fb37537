import Conversion
import Kernels
import Synchronization
import Tensors

/// Compares the weights of two sources.
public struct WeightDiff: Sendable {
  public enum Status: String, Sendable {
    case equal, changed, missing, extra
    /// Shapes differ, or a dtype has no arithmetic here and the bytes differ.
    case different
  }

  public struct Row: Sendable {
    public let name: TensorName
    public let status: Status
    public let shape: [Int]
    /// Why a row is `different`.
    public let note: String?
    /// How the values differ, where both sides have them as numbers.
    public let values: ValueDifference?
  }

  /// In the order of the first source, then what only the second has.
  public let rows: [Row]

  /// - Parameters:
  ///   - a: the reference.
  ///   - b: what is compared with it.
  /// - Throws: what opening or reading either side throws.
  public init(_ a: ModelSource, _ b: ModelSource, components: [String]? = nil, resources: Resources) throws {
    let pairs = try Self.pairs(a, b, components)
    let results = Mutex<[Int: Row]>([:])
    try Workers.run(threadCount: resources.threadCount, itemCount: pairs.count) { _, item in
      let row = try Self.compare(pairs[item], a, b, resources)
      results.withLock { $0[item] = row }
    }
    let found = results.withLock { $0 }
    rows = pairs.indices.map { found[$0]! }
  }

  struct Pair: Sendable {
    let name: TensorName
    let a: Int?
    let b: Int?
  }

  /// Bytes that a comparison reads.
  public static func inputByteCount(_ a: ModelSource, _ b: ModelSource, components: [String]? = nil) throws -> Int {
    try pairs(a, b, components).reduce(0) { sum, pair in
      guard let left = pair.a, pair.b != nil else { return sum }
      return sum + a.tensors[left].info.byteCount
    }
  }

  /// Matches names. Where only one side is of a known family, both are taken under their own names.
  static func pairs(_ a: ModelSource, _ b: ModelSource, _ components: [String]?) throws -> [Pair] {
    var maps = [try ModelMap(a), try ModelMap(b)]
    if maps[0].family != maps[1].family {
      maps = try [a, b].map { try $0.archive == nil ? ModelMap($0, family: "generic") : ModelMap($0) }
    }
    for name in components ?? [] where !maps.contains(where: { $0.components.contains { $0.name == name } }) {
      throw FamilyError.componentAbsent(path: a.path, name: name, has: maps[0].components.map(\.name))
    }
    // A component that one side lacks as a whole was left out on purpose; it counts only where it is asked for.
    let shared =
      components
      ?? maps[0].components.map(\.name).filter { name in
        maps[1].components.contains { $0.name == name }
      }
    let sides = maps.map { map in
      map.components.filter { shared.contains($0.name) || components == nil && map.family == "generic" }.flatMap(
        \.tensors)
    }
    let right = Dictionary(sides[1].map { ($0.name, $0.number) }, uniquingKeysWith: { first, _ in first })
    var pairs = sides[0].map { Pair(name: $0.name, a: $0.number, b: right[$0.name]) }
    let left = Set(sides[0].map(\.name))
    pairs += sides[1].filter { !left.contains($0.name) }.map { Pair(name: $0.name, a: nil, b: $0.number) }
    return pairs
  }

  private static func compare(_ pair: Pair, _ a: ModelSource, _ b: ModelSource, _ resources: Resources) throws -> Row {
    func row(_ status: Status, _ shape: [Int], _ note: String? = nil, _ values: ValueDifference? = nil) -> Row {
      Row(name: pair.name, status: status, shape: shape, note: note, values: values)
    }
    guard let left = pair.a else { return row(.extra, b.tensors[pair.b!].info.shape) }
    let info = a.tensors[left].info
    guard let right = pair.b else { return row(.missing, info.shape) }
    let other = b.tensors[right].info
    guard info.shape == other.shape else {
      return row(.different, info.shape, "shape \(info.shapeText) against \(other.shapeText)")
    }
    for (source, number) in [(a, left), (b, right)] where !source.isReadable(number) {
      return row(.different, info.shape, "\(source.tensors[number].encoding) is not read")
    }
    if info.dtype.isCastable && other.dtype.isCastable {
      let values = try difference(a, left, b, right, resources)
      return row(values.changedCount == 0 ? .equal : .changed, info.shape, nil, values)
    }
    guard info.dtype == other.dtype else {
      return row(.different, info.shape, "dtype \(info.dtype.name) against \(other.dtype.name)")
    }
    let isEqual = try bytesAreEqual(a, left, b, right, resources)
    return row(isEqual ? .equal : .different, info.shape, isEqual ? nil : "bytes differ")
  }

  /// Elements that are compared at once: a whole number of blocks, small enough for the cache.
  private static let runCount = 1 << 14

  /// Streams both sides as f32.
  private static func difference(
    _ a: ModelSource, _ left: Int, _ b: ModelSource, _ right: Int, _ resources: Resources
  ) throws -> ValueDifference {
    var values = ValueDifference()
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
      }
      resources.progress(bytes.count)
    }
    return values
  }

  private static func bytesAreEqual(
    _ a: ModelSource, _ left: Int, _ b: ModelSource, _ right: Int, _ resources: Resources
  ) throws -> Bool {
    let (first, second) = (
      try AlignedBuffer(byteCount: Resources.streamByteCount), try AlignedBuffer(byteCount: Resources.streamByteCount)
    )
    var offset = 0
    var isEqual = true
    try a.stream(left, through: first, cancellation: resources.cancellation) { bytes in
      let part = UnsafeMutableRawBufferPointer(rebasing: second.bytes[..<bytes.count])
      try b.read(right, at: offset, into: part)
      isEqual = isEqual && bytes.elementsEqual(part)
      offset += bytes.count
      resources.progress(bytes.count)
    }
    return isEqual
  }

  /// Widens pieces of any castable type to runs of f32.
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
