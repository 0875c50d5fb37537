import Pictures

/// Where two pictures differ: at each pixel the largest difference of its channels, as a colour from black (none) by violet, red and
/// orange to pale yellow.
///
/// The scale is fixed, not fitted to the pictures, so that two maps of one gain can be compared.
public struct DifferenceMap: Sendable {
  /// Differences of 64 levels and more have the last colour.
  public static let usualGain = 4

  public let picture: Picture
  /// A difference of `d` levels has colour `min(255, gain d)` of 256.
  public let gain: Int

  /// - Precondition: `gain` is 1 to 255.
  /// - Throws: ``PictureComparisonError/unequalSizes(width:height:otherWidth:otherHeight:)``,
  ///   ``PictureComparisonError/noPixels``.
  public init(
    _ reference: Picture, _ other: Picture, gain: Int = DifferenceMap.usualGain
  ) throws(PictureComparisonError) {
    precondition((1...255).contains(gain))
    try PictureComparisonError.check(reference, other)
    var pixels = [UInt8](repeating: 0, count: reference.pixels.count)
    for pixel in stride(from: 0, to: pixels.count, by: 3) {
      var worst = 0
      for index in pixel..<pixel + 3 {
        worst = max(worst, abs(Int(reference.pixels[index]) - Int(other.pixels[index])))
      }
      let colour = Self.heat[min(255, gain * worst)]
      for channel in 0..<3 { pixels[pixel + channel] = colour[channel] }
    }
    picture = Picture(width: reference.width, height: reference.height, pixels: pixels)
    self.gain = gain
  }

  /// Lighter with every step, so that the scale can be read in grey, too.
  private static let heat: [SIMD3<UInt8>] = {
    let stops: [SIMD3<Double>] = [
      SIMD3(0, 0, 0), SIMD3(70, 20, 125), SIMD3(200, 45, 85), SIMD3(250, 150, 30), SIMD3(255, 250, 190),
    ]
    return (0..<256).map { step in
      let place = Double(step) / 255 * Double(stops.count - 1)
      let stop = min(Int(place), stops.count - 2)
      let part = place - Double(stop)
      let colour = stops[stop] * (1 - part) + stops[stop + 1] * part
      return SIMD3<UInt8>(colour.rounded(.toNearestOrAwayFromZero))
    }
  }()
}
