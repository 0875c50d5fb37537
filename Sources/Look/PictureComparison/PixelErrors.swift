import Glibc
import Pictures

/// Differences of bytes, as whole numbers: no sum of them is rounded.
struct PixelErrors: Sendable {
  var squares = 0
  var magnitudes = 0
  var changedPixels = 0
  /// The first of the largest, and its place in ``Picture/pixels``.
  var largest: (value: Int, index: Int)?

  static func sum(_ reference: Picture, _ other: Picture, threads: Int) -> PixelErrors {
    let bands = RowBands.map(rowCount: reference.height, threads: threads) { rows in
      var errors = PixelErrors()
      reference.pixels.withUnsafeBufferPointer { x in
        other.pixels.withUnsafeBufferPointer { y in
          let count = reference.width * 3
          errors.add(x, y, rows.lowerBound * count..<rows.upperBound * count)
        }
      }
      return errors
    }
    return bands.reduce(into: PixelErrors()) { $0.add($1) }
  }

  func psnrDecibels(count: Int) -> Double {
    squares == 0 ? .infinity : 10 * log10(255 * 255 * Double(count) / Double(squares))
  }

  private mutating func add(_ x: UnsafeBufferPointer<UInt8>, _ y: UnsafeBufferPointer<UInt8>, _ places: Range<Int>) {
    var top = 0
    for pixel in stride(from: places.lowerBound, to: places.upperBound, by: 3) {
      var worst = 0
      for index in pixel..<pixel + 3 {
        let error = abs(Int(x[index]) - Int(y[index]))
        squares += error * error
        magnitudes += error
        worst = max(worst, error)
        if error > top {
          top = error
          largest = (error, index)
        }
      }
      if worst > 0 { changedPixels += 1 }
    }
  }

  /// Adds what lies behind.
  private mutating func add(_ next: PixelErrors) {
    squares += next.squares
    magnitudes += next.magnitudes
    changedPixels += next.changedPixels
    if let found = next.largest, found.value > largest?.value ?? 0 { largest = found }
  }
}
