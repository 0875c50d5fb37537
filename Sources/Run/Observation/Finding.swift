/// Why one thing stands out among others, and how much.
public struct Finding: Sendable {
  public private(set) var reasons: [Suspect.Reason] = []
  /// The higher the likelier.
  public private(set) var weight = 0.0

  /// More than any distance in dB.
  private static let sure = 1000.0

  public init() {}

  /// Adds a reason that leaves no doubt.
  public mutating func add(_ reason: Suspect.Reason) {
    reasons.append(reason)
    weight = reason == .notFinite ? .infinity : max(weight, Self.sure)
  }

  /// Holds signal-to-noise ratios in dB, as a whole and where the error is largest, against those of neighbours.
  /// - Parameters:
  ///   - noise: and its distance from the median of which more stands out.
  ///   - peak: likewise.
  public mutating func hold(
    noise: (value: Double, neighbours: Neighbours?, distance: Double),
    peak: (value: Double, neighbours: Neighbours?, distance: Double)
  ) {
    if let near = peak.neighbours, let depth = near.depth(of: peak.value, beyond: peak.distance) {
      reasons.append(.peak(peak.value, neighbours: near.median))
      weight = max(weight, depth)
    }
    if let near = noise.neighbours, let depth = near.depth(of: noise.value, beyond: noise.distance) {
      reasons.append(.noise(noise.value, neighbours: near.median))
      weight = max(weight, depth)
    }
  }
}
