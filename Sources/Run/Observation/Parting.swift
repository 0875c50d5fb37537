import Kernels

extension RunDiff {
  /// Where a sampler's states begin to differ, in a run of which every operation reads what came before it.
  public struct Parting: Sendable {
    public let sampler: PipelineOutline.Sampler
    public let stepCount: Int
    /// The first step after which the states differ at all, from 0.
    public let differs: Int?
    /// The first step after which they are below ``RunDiff/partingDecibels``.
    public let parts: Int?
    /// How the last states differ.
    public let last: ValueDifference
  }

  /// Below this signal-to-noise ratio states are no longer nearly the same.
  public static let partingDecibels = 40.0

  /// One for each sampler that has run; none where differences are local.
  public var partings: [Parting] {
    guard !isLocal else { return [] }
    return outline.samplers.compactMap { sampler in
      let own = steps.filter { $0.phase == sampler.phase }
      guard let last = own.last else { return nil }
      return Parting(
        sampler: sampler, stepCount: own.count, differs: own.first { $0.values.changedCount > 0 }?.step,
        // False for NaN, so that it counts as parted.
        parts: own.first { !($0.values.sqnrDecibels >= Self.partingDecibels) }?.step, last: last.values)
    }
  }
}
