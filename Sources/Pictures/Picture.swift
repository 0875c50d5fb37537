/// A picture: RGB, row by row.
public struct Picture: Sendable, Equatable {
  public let width: Int
  public let height: Int
  /// `[height, width, 3]`.
  public let pixels: [UInt8]

  public init(width: Int, height: Int, pixels: [UInt8]) {
    precondition(pixels.count == width * height * 3)
    self.width = width
    self.height = height
    self.pixels = pixels
  }
}
