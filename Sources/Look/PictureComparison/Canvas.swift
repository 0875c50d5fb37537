import Pictures

/// Pixels to draw on.
struct Canvas {
  let width: Int
  let height: Int
  private var pixels: [UInt8]

  init(width: Int, height: Int, colour: SIMD3<UInt8>) {
    self.width = width
    self.height = height
    pixels = []
    pixels.reserveCapacity(width * height * 3)
    for _ in 0..<width * height { pixels += [colour.x, colour.y, colour.z] }
  }

  var picture: Picture { Picture(width: width, height: height, pixels: pixels) }

  /// - Precondition: it fits.
  mutating func draw(_ picture: Picture, x: Int, y: Int) {
    precondition(x >= 0 && y >= 0 && x + picture.width <= width && y + picture.height <= height)
    for row in 0..<picture.height {
      let (from, to) = (row * picture.width * 3, ((y + row) * width + x) * 3)
      pixels.replaceSubrange(
        to..<to + picture.width * 3, with: picture.pixels[from..<from + picture.width * 3])
    }
  }

  /// Writes text whose upper left corner is at `x`, `y`, each dot a square of `scale` pixels.
  /// - Precondition: it fits.
  mutating func write(_ text: String, x: Int, y: Int, scale: Int, colour: SIMD3<UInt8>) {
    for (number, scalar) in text.unicodeScalars.enumerated() {
      let left = x + number * BitmapFont.advance * scale
      for dot in BitmapFont.dots(of: scalar) {
        for row in 0..<scale {
          for column in 0..<scale {
            let pixel = ((y + dot.y * scale + row) * width + left + dot.x * scale + column) * 3
            for channel in 0..<3 { pixels[pixel + channel] = colour[channel] }
          }
        }
      }
    }
  }
}
