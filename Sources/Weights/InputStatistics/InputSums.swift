import Encodings
import Kernels
import Tensors

/// Sums over what matrices were multiplied with: of a file, or as they were just collected.
public protocol InputSums: Sendable {
  /// What a message calls them.
  var path: String { get }
  func entry(_ name: String) -> StatisticsFile.Entry?
  /// Sums of squares by column.
  func squares(_ entry: StatisticsFile.Entry) throws -> [Double]
  /// A block as a symmetric matrix, `[size, size]`.
  func moments(_ entry: StatisticsFile.Entry, _ range: Range<Int>) throws -> [Double]
}

extension StatisticsFile {
  /// How far a guide from sums goes.
  public enum Depth: String, Sendable, CaseIterable {
    /// Errors are fed back along the columns.
    case feedback
    /// Columns count by their second moments alone.
    case weighted
    /// The inputs were never seen.
    case none
  }
}

/// Part of the mean of the diagonal that is added to it: what is not known of columns that were seen seldom together.
private let damping = 0.01

extension InputSums {
  /// Whether inputs of a matrix were seen.
  public func hasSeen(_ name: String) -> Bool { (entry(name)?.rowCount ?? 0) > 0 }

  /// What was seen of a matrix whose rows can be held as a whole.
  func seenEntry(_ name: String, _ shape: EncodedShape) -> StatisticsFile.Entry? {
    entry(name).flatMap { $0.rowCount > 0 && shape.columns <= EncodedShape.wholeRowColumnLimit ? $0 : nil }
  }

  /// Bytes at the peak for the guide of a matrix, what is left of its rows, and the errors of its outputs.
  package func guideByteCount(_ name: String, rows: Int) -> Int {
    guard let blocks = entry(name)?.blocks else { return 0 }
    let squares = blocks.ranges.map { $0.count * $0.count }
    return 8 * squares.reduce(0, +) + 40 * (squares.max() ?? 0) + 12 * rows * blocks.columns
  }

  /// What guides the quantizing of a matrix.
  /// - Parameters:
  ///   - shape: how it is to be stored.
  ///   - wanted: at most so deep.
  /// - Returns: the guide, and the depth that was reached: less where no block can be factored, or taps lie in the source's order; and how
  ///   far the damping had to be raised for it.
  /// - Throws: ``StatisticsError/otherWidth(path:name:expected:found:)`` where the width is that of another matrix.
  public func guide(_ name: String, _ shape: EncodedShape, wanted: StatisticsFile.Depth = .feedback) throws -> (
    guide: ColumnGuide?, depth: StatisticsFile.Depth, raised: Double?
  ) {
    guard wanted != .none, let entry = seenEntry(name, shape) else { return (nil, .none, nil) }
    try check(entry, shape)
    let isTapMajor = shape.order == .tapMajor
    let taps = shape.matrix.taps
    if wanted == .feedback, entry.blocks.blockColumns > 0, taps == 1 || isTapMajor,
      let found = try ColumnGuide.feedback(
        columns: entry.blocks.columns, blockColumns: blockColumns(entry), damping: damping,
        block: { try moments(entry, $0) })
    {
      return (
        found.guide.repeated(shape.segmentCount), .feedback, found.damping > damping ? found.damping : nil
      )
    }
    let squares = try squares(entry)
    guard let guide = ColumnGuide.weighted(squares: squares) else { return (nil, .none, nil) }
    // In the source's order a channel's taps lie side by side.
    return (
      isTapMajor || taps == 1
        ? guide.repeated(shape.segmentCount)
        : ColumnGuide(importance: guide.importance.flatMap { Array(repeating: $0, count: taps) }), .weighted, nil
    )
  }

  /// - Throws: ``StatisticsError/otherWidth(path:name:expected:found:)``.
  package func check(_ entry: StatisticsFile.Entry, _ shape: EncodedShape) throws(StatisticsError) {
    guard entry.blocks.columns == shape.matrix.channels else {
      throw .otherWidth(path: path, name: entry.name, expected: shape.matrix.channels, found: entry.blocks.columns)
    }
  }

  /// A block of all columns ends where they do, not at a multiple of 32.
  private func blockColumns(_ entry: StatisticsFile.Entry) -> Int {
    (entry.blocks.blockColumns + GroupTile.columns - 1) / GroupTile.columns * GroupTile.columns
  }
}
