/// Where each token stands on the three axes of M-RoPE.
///
/// Text moves all axes together. A picture that starts at p stays at time p; its rows and columns count from p; what follows
/// starts behind the longer of its sides. Source: Qwen2-VL's paper; transformers, get_rope_index.
public struct Positions: Sendable {
  public private(set) var list: [(time: Int, row: Int, column: Int)] = []
  /// The position of the next token of text.
  public private(set) var next = 0

  public init() {}

  public mutating func append(tokens count: Int) {
    for _ in 0..<count {
      list.append((next, next, next))
      next += 1
    }
  }

  /// - Parameters:
  ///   - rows, columns: tokens of the picture.
  public mutating func append(pictureOf rows: Int, by columns: Int) {
    for row in 0..<rows {
      for column in 0..<columns { list.append((next, next + row, next + column)) }
    }
    next += max(1, rows, columns)
  }
}
