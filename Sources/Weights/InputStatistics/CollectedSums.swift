import Tensors

/// Sums as they were just collected, in memory.
public final class CollectedSums: InputSums, @unchecked Sendable {
  // Unchecked: nobody adds to them any more.
  public let path = "what was collected"
  private let collected: [String: InputMoments]

  /// - Parameter collected: by the names of the weights; nothing is added to them from now on.
  public init(_ collected: [String: InputMoments]) { self.collected = collected }

  public func entry(_ name: String) -> StatisticsFile.Entry? {
    collected[name].map { .init(name: name, blocks: $0.blocks, rowCount: $0.rowCount) }
  }

  public func squares(_ entry: StatisticsFile.Entry) throws -> [Double] {
    collected[entry.name].map { SplitSum.totals($0.squares) } ?? []
  }

  public func moments(_ entry: StatisticsFile.Entry, _ range: Range<Int>) throws -> [Double] {
    guard let found = collected[entry.name], let number = found.blocks.ranges.firstIndex(of: range) else { return [] }
    let pair = Array(found.sums(of: number).bindMemory(to: Double.self))
    return MomentBlocks.symmetric(SplitSum.totals(pair), size: range.count)
  }
}
