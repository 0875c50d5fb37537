import Encodings
import Kernels
import Tensors

extension StatisticsFile {
  /// How far a guide from these statistics goes.
  public enum Depth: String, Sendable, CaseIterable {
    /// Errors are fed back along the columns.
    case feedback
    /// Columns count by their second moments alone.
    case weighted
    /// The inputs were never seen.
    case none
  }

  /// Part of the mean of the diagonal that is added to it: what is not known of columns that were seen seldom together.
  private static let damping = 0.01

  /// What guides the quantizing of a matrix.
  /// - Parameters:
  ///   - shape: how it is to be stored.
  ///   - wanted: at most so deep.
  /// - Returns: the guide, and the depth that was reached: less where no block can be factored, or taps lie in the source's order.
  /// - Throws: ``StatisticsError/otherWidth(path:name:expected:found:)`` where the width is that of another matrix.
  public func guide(_ name: String, _ shape: EncodedShape, wanted: Depth = .feedback) throws -> (ColumnGuide?, Depth) {
    guard wanted != .none, let entry = entry(name), entry.rowCount > 0 else { return (nil, .none) }
    try check(entry, shape)
    let isTapMajor = shape.order == .tapMajor
    let taps = shape.matrix.taps
    if wanted == .feedback, entry.blocks.blockColumns > 0, taps == 1 || isTapMajor,
      let found = try ColumnGuide.feedback(
        columns: entry.blocks.columns, blockColumns: blockColumns(entry), damping: Self.damping,
        block: { try moments(entry, $0) })
    {
      return (found.guide.repeated(shape.segmentCount), .feedback)
    }
    let squares = try squares(entry)
    guard let guide = ColumnGuide.weighted(squares: squares) else { return (nil, .none) }
    // In the source's order a channel's taps lie side by side.
    return (
      isTapMajor || taps == 1
        ? guide.repeated(shape.segmentCount)
        : ColumnGuide(importance: guide.importance.flatMap { Array(repeating: $0, count: taps) }), .weighted
    )
  }

  func check(_ entry: Entry, _ shape: EncodedShape) throws(StatisticsError) {
    guard entry.blocks.columns == shape.matrix.channels else {
      throw .otherWidth(path: path, name: entry.name, expected: shape.matrix.channels, found: entry.blocks.columns)
    }
  }

  /// A block of all columns ends where they do, not at a multiple of 32.
  private func blockColumns(_ entry: Entry) -> Int {
    (entry.blocks.blockColumns + GroupTile.columns - 1) / GroupTile.columns * GroupTile.columns
  }
}
