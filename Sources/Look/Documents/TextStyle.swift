/// How people are shown a document.
public struct TextStyle: Sendable {
  /// Columns of the screen; nil where lines may be of any length, as in a pipe.
  public var width: Int?
  public var isColored: Bool
  /// Lines of each table; nil for its own usual number.
  public var top: Int?
  /// Whether every row is shown on a line of its own.
  public var showsAll: Bool
  /// How a reader gets the lines that are left out.
  public var advice: String?

  public init(
    width: Int? = nil, isColored: Bool = false, top: Int? = nil, showsAll: Bool = false, advice: String? = nil
  ) {
    self.width = width
    self.isColored = isColored
    self.top = top
    self.showsAll = showsAll
    self.advice = advice
  }

  /// The narrowest screen that lines are fitted to.
  public static let leastWidth = 60

  enum Color: Int {
    case bold = 1
    case red = 31
  }

  /// Sets a line that is safe to print.
  func colored(_ line: String, _ color: Color) -> String {
    isColored ? "\u{1B}[\(color.rawValue)m\(line)\u{1B}[0m" : line
  }
}
