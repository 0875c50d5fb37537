import NetworkRuntime
import Tensors

/// Keys and values of all tokens so far, for every layer: memory for a stated number of tokens, taken once.
public final class KeyValueCache {
  public let capacity: Int
  /// Tokens that it holds.
  public private(set) var count = 0
  private let width: Int
  private let keys: [AlignedBuffer]
  private let values: [AlignedBuffer]

  /// - Parameter isPlanning: whether nothing will be written, so that no memory is taken.
  /// - Throws: ``FileError/outOfMemory(byteCount:)``.
  public init(_ config: LanguageModelConfig, capacity: Int, isPlanning: Bool = false) throws {
    self.capacity = capacity
    width = config.keyValueHeadCount * config.headWidth
    let byteCount = isPlanning ? 0 : Self.byteCount(config, capacity: capacity) / config.layerCount / 2
    keys = try (0..<config.layerCount).map { _ in try AlignedBuffer(byteCount: byteCount) }
    values = try (0..<config.layerCount).map { _ in try AlignedBuffer(byteCount: byteCount) }
  }

  /// Bytes of memory for a number of tokens.
  public static func byteCount(_ config: LanguageModelConfig, capacity: Int) -> Int {
    2 * config.layerCount * capacity * config.keyValueHeadCount * config.headWidth * 4
  }

  /// Counts tokens whose keys and values have been written.
  public func advance(by tokens: Int) {
    precondition(count + tokens <= capacity)
    count += tokens
  }

  private func view(_ buffer: AlignedBuffer, _ tokens: Range<Int>) -> Activation {
    precondition(tokens.upperBound <= capacity, "the cache is full")
    let base = buffer.bytes.assumingMemoryBound(to: Float.self).baseAddress!
    return Activation(base + tokens.lowerBound * width, width: tokens.count, channels: width)
  }

  package func newKeys(_ layer: Int, count new: Int) -> Activation { view(keys[layer], count..<count + new) }
  package func newValues(_ layer: Int, count new: Int) -> Activation { view(values[layer], count..<count + new) }
  package func allKeys(_ layer: Int, with new: Int) -> Activation { view(keys[layer], 0..<count + new) }
  package func allValues(_ layer: Int, with new: Int) -> Activation { view(values[layer], 0..<count + new) }
}
