import Kernels

/// Activations in memory: `[batch, height, width, channels]` f32, channels last. A sequence of tokens is one row of
/// pixels.
///
/// A view: the memory belongs to an ``Arena`` or to whoever made it.
public struct Activation: @unchecked Sendable {
  // Unchecked: operations share views among workers that write to different places.
  public let base: UnsafeMutablePointer<Float>
  public let batch: Int
  public let height: Int
  public let width: Int
  public let channels: Int

  public init(_ base: UnsafeMutablePointer<Float>, batch: Int = 1, height: Int = 1, width: Int, channels: Int) {
    precondition(batch >= 0 && height >= 0 && width >= 0 && channels >= 0)
    self.base = base
    self.batch = batch
    self.height = height
    self.width = width
    self.channels = channels
  }

  public var pixelCount: Int { height * width }
  public var rowCount: Int { batch * height * width }
  public var count: Int { rowCount * channels }
  public var byteCount: Int { count * 4 }
  public var values: UnsafeMutableBufferPointer<Float> { UnsafeMutableBufferPointer(start: base, count: count) }

  /// The first value of a row, rows counted over batch, height and width.
  func row(_ number: Int) -> UnsafeMutablePointer<Float> { base + number * channels }

  /// One sample of the batch.
  public func sample(_ number: Int) -> Activation { samples(number..<number + 1) }

  /// Samples next to each other.
  public func samples(_ range: Range<Int>) -> Activation {
    precondition(range.lowerBound >= 0 && range.upperBound <= batch)
    return Activation(
      base + range.lowerBound * pixelCount * channels, batch: range.count, height: height, width: width,
      channels: channels)
  }

  /// Tokens next to each other, of the only sample.
  public func tokens(_ range: Range<Int>) -> Activation {
    precondition(batch == 1 && range.lowerBound >= 0 && range.upperBound <= pixelCount)
    return Activation(base + range.lowerBound * channels, width: range.count, channels: channels)
  }

  /// How many values are infinite or NaN.
  public var nonFiniteCount: Int { Elementwise.nonFiniteCount(UnsafeBufferPointer(values)) }

  /// The same values with the pixels of each sample in one row.
  public var flat: Activation { Activation(base, batch: batch, width: pixelCount, channels: channels) }

  /// The same values seen as pictures.
  public func image(height: Int, width: Int) -> Activation {
    precondition(height * width == pixelCount)
    return Activation(base, batch: batch, height: height, width: width, channels: channels)
  }
}
