/// Where measurements of things that are alike lie, whatever a few of them do.
public struct Neighbours: Sendable, Equatable {
  public let median: Double
  /// The standard deviation of normal values with the same median distance from their median.
  public let spread: Double

  /// Fewer have no middle.
  public static let leastCount = 3
  /// What is further below the median than so many spreads does not belong to the others.
  private static let spreads = 5.0

  /// - Parameter values: those that are not finite stay out.
  /// - Returns: nil for fewer values than ``leastCount``.
  public init?(_ values: [Double]) {
    let values = values.filter(\.isFinite)
    guard values.count >= Self.leastCount else { return nil }
    let middle = Self.middle(values)
    median = middle
    spread = 1.4826 * Self.middle(values.map { abs($0 - middle) })
  }

  /// How far below the median a value is, where that is more than a distance and than neighbours are apart; else nil.
  public func depth(of value: Double, beyond distance: Double) -> Double? {
    let depth = median - value
    return depth > max(distance, Self.spreads * spread) ? depth : nil
  }

  private static func middle(_ values: [Double]) -> Double {
    let sorted = values.sorted()
    return (sorted[(sorted.count - 1) / 2] + sorted[sorted.count / 2]) / 2
  }
}
