import Pictures

/// Some rows of a picture at half its size, in YIQ: each pixel the mean of 2 x 2, what lies outside of the picture being black.
struct HalfResolution {
  /// Columns of black on both sides, so that filters need not look where the picture ends.
  static let margin = 4

  /// Sides of a picture's half.
  static func width(of picture: Picture) -> Int { (picture.width + 1) / 2 }
  static func height(of picture: Picture) -> Int { (picture.height + 1) / 2 }

  /// Numbers of a row, with its margins.
  let stride: Int
  /// Lightness, `[rows, stride]`, levels of 0 to 255.
  private(set) var y: [Double]
  /// Colour, orange to blue and purple to green, of the same shape.
  private(set) var i: [Double]
  private(set) var q: [Double]

  /// - Parameter rows: of the half; rows outside of it are black.
  init(_ picture: Picture, rows: Range<Int>) {
    stride = Self.width(of: picture) + 2 * Self.margin
    y = [Double](repeating: 0, count: rows.count * stride)
    i = y
    q = y
    for row in rows.clamped(to: 0..<Self.height(of: picture)) {
      let start = (row - rows.lowerBound) * stride + Self.margin
      let lines = 2 * row..<min(2 * row + 2, picture.height)
      for column in 0..<Self.width(of: picture) {
        var (red, green, blue) = (0, 0, 0)
        for line in lines {
          for place in 2 * column..<min(2 * column + 2, picture.width) {
            let pixel = (line * picture.width + place) * 3
            red += Int(picture.pixels[pixel])
            green += Int(picture.pixels[pixel + 1])
            blue += Int(picture.pixels[pixel + 2])
          }
        }
        let (r, g, b) = (Double(red) / 4, Double(green) / 4, Double(blue) / 4)
        y[start + column] = 0.299 * r + 0.587 * g + 0.114 * b
        i[start + column] = 0.596 * r - 0.274 * g - 0.322 * b
        q[start + column] = 0.211 * r - 0.523 * g + 0.312 * b
      }
    }
  }
}
