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

  /// A part of the picture.
  /// - Precondition: it lies within the picture.
  public func cropped(left: Int, top: Int, width newWidth: Int, height newHeight: Int) -> Picture {
    precondition(left >= 0 && top >= 0 && left + newWidth <= width && top + newHeight <= height)
    guard (newWidth, newHeight) != (width, height) else { return self }
    let rows = (top..<top + newHeight).map { pixels[($0 * width + left) * 3..<($0 * width + left + newWidth) * 3] }
    return Picture(width: newWidth, height: newHeight, pixels: Array(rows.joined()))
  }
}
