import Glibc

/// The block of neighbouring values that differs most for its size.
///
/// Formats with groups lose a part of each group's own size, so that no sound block stands out, however large a matrix is and whatever
/// outliers it has; damage to a few groups does. A block's error is held against its own energy and the mean of the blocks around it: of
/// values that are next to nothing among others, an error may be a large part.
public struct WorstBlock: Sendable {
  /// As many values as a group of most formats has, or a part of one.
  private static let width = 32

  /// Error over energy.
  private var ratio: Float = 0
  private var count = 0
  /// Index of the block's first value; 0 where nothing differs.
  public private(set) var index = 0

  /// Energy over error in dB; infinite where nothing differs.
  public var sqnrDecibels: Double { ratio > 0 ? -10 * Glibc.log10(Double(ratio)) : .infinity }

  /// Adds some thousand values. Among them blocks are looked for only where all are finite.
  /// - Parameters: `a` and `b` are of equal length.
  mutating func add(_ a: UnsafeBufferPointer<Float>, _ b: UnsafeBufferPointer<Float>) {
    let blocks = stride(from: 0, to: a.count, by: Self.width).map {
      Self.sums(a, b, $0..<min($0 + Self.width, a.count))
    }
    let mean = blocks.reduce(0) { $0 + $1.energy } / Float(blocks.count)
    for (number, sums) in blocks.enumerated() {
      let found = sums.error / (sums.energy + mean)
      // False for NaN.
      if found > ratio { (ratio, index) = (found, count + number * Self.width) }
    }
    count += a.count
  }

  /// Sums of squares, four lanes at a time: wider ones are no longer registers.
  private static func sums(
    _ a: UnsafeBufferPointer<Float>, _ b: UnsafeBufferPointer<Float>, _ range: Range<Int>
  ) -> (energy: Float, error: Float) {
    var (energies, errors) = (SIMD4<Float>(), SIMD4<Float>())
    var place = range.lowerBound
    while place + 4 <= range.upperBound {
      let x = SIMD4(a[place], a[place + 1], a[place + 2], a[place + 3])
      let difference = x - SIMD4(b[place], b[place + 1], b[place + 2], b[place + 3])
      energies += x * x
      errors += difference * difference
      place += 4
    }
    var (energy, error) = (energies.sum(), errors.sum())
    for place in place..<range.upperBound {
      energy += a[place] * a[place]
      error += (a[place] - b[place]) * (a[place] - b[place])
    }
    return (energy, error)
  }
}
