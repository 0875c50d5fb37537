/// What may be at fault where two models differ: a weight, or an operation of a run.
public struct Suspect: Sendable, Equatable {
  /// Why something is suspected.
  public enum Reason: Sendable, Equatable {
    /// It has values that are infinite or NaN where the reference has others.
    case notFinite
    /// A weight that it computes with is a suspect itself.
    case weight(String)
    /// What was computed before it is equal, and so is most of what is like it.
    case differsFirst
    /// Nearly all that is like it is equal.
    case differsAlone
    /// Its signal-to-noise ratio is far below that of its neighbours: in dB, and their median.
    case noise(Double, neighbours: Double)
    /// Its largest error is far beyond that of its neighbours: a signal's energy over that error's, in dB, and their median.
    case peak(Double, neighbours: Double)
  }

  /// The weight's name or the operation's path.
  public let name: String
  /// The strongest first.
  public internal(set) var reasons: [Reason]

  public init(name: String, reasons: [Reason]) {
    self.name = name
    self.reasons = reasons
  }
}
