/// Rows of typed cells under named columns.
public struct Table: Sendable {
  public struct Column: Sendable {
    /// The member's name in JSON; nil for what only people are shown, such as bars.
    public let key: String?
    /// For people; empty where the cells speak for themselves. Columns without one are for programs only, without a key as well
    /// for ratios alone.
    public let title: String?
    public let fold: Fold
    /// Columns of the greatest rank go first where a line is too long for the screen; those of rank 0 never do.
    public let rank: Int

    public init(_ key: String?, _ title: String?, fold: Fold = .shared, rank: Int = 0) {
      self.key = key
      self.title = title
      self.fold = fold
      self.rank = rank
    }
  }

  /// What stands in a column where rows are folded into one line.
  public enum Fold: Sendable {
    /// The value that all have; nothing where they differ.
    case shared
    case sum
    /// How many rows came together, nothing for one; the cells themselves are absent.
    case count
    /// The sum in one column by that in another.
    case ratio(of: Int, to: Int)
    /// The lowest, and whose it is.
    case lowest
    /// The highest, and whose it is.
    case highest
  }

  /// How rows of alike names come together in one line for people.
  public struct Folding: Sendable {
    /// The column of names.
    public let column: Int
    /// Only rows with the same text here come together.
    public let likeness: @Sendable (_ row: Int) -> String

    public init(by column: Int, likeness: @escaping @Sendable (_ row: Int) -> String = { _ in "" }) {
      self.column = column
      self.likeness = likeness
    }
  }

  /// The order of lines for people. Programs get the rows as they were added.
  public struct Order: Sendable {
    public let column: Int
    public let isAscending: Bool

    public init(_ column: Int, ascending: Bool) {
      self.column = column
      isAscending = ascending
    }
  }

  /// The member's name in JSON; nil for what only people are shown, on screens.
  public let key: String?
  /// Whether it has too many columns for a screen: it is left to JSON, Markdown and comma-separated values.
  public var isWide = false
  public let columns: [Column]
  public var rows: [[Cell]] = []
  public var folding: Folding?
  public var order: Order?
  /// Lines that people are shown where they do not ask for more; nil for all.
  public var usualCount: Int?
  /// What people read in place of a table without rows; nothing where nil.
  public var whenEmpty: String?

  public init(
    _ key: String?, _ columns: [Column], folding: Folding? = nil, order: Order? = nil, usualCount: Int? = nil,
    whenEmpty: String? = nil
  ) {
    self.key = key
    self.columns = columns
    self.folding = folding
    self.order = order
    self.usualCount = usualCount
    self.whenEmpty = whenEmpty
  }

  /// Whether a column's cells stand at its right.
  func isNumber(_ column: Int) -> Bool {
    if case .count = columns[column].fold { return true }
    return rows.contains { $0[column].isNumber }
  }

  /// - Precondition: a cell for each column.
  public mutating func add(_ cells: [Cell]) {
    precondition(cells.count == columns.count, "a cell for each column")
    rows.append(cells)
  }
}
