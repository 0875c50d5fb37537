import Glibc
import Pictures

/// SSIM, the mean structural similarity of two pictures.
///
/// Means, variances and the covariance of either picture are taken under a Gaussian window of 11 x 11 pixels (sigma 1.5), at every
/// place where the window lies within the picture, in each channel of RGB on its own; the mean over places and channels is the
/// result. scikit-image calls this `structural_similarity(..., channel_axis=-1, gaussian_weights=True, sigma=1.5,
/// use_sample_covariance=False, data_range=255)`; the paper looks at grey pictures.
///
/// Source: Z. Wang, A. C. Bovik, H. R. Sheikh, E. P. Simoncelli, Image Quality Assessment: From Error Visibility to Structural
/// Similarity, IEEE Transactions on Image Processing 13(4), 2004, equation 13, K1 = 0.01, K2 = 0.03.
enum StructuralSimilarity {
  static let windowSide = 11

  /// One side of the window, which is a product of two such.
  private static let weights: [Double] = {
    let bell = (0..<windowSide).map { exp(-0.5 * pow(Double($0 - windowSide / 2) / 1.5, 2)) }
    let sum = bell.reduce(0, +)
    return bell.map { $0 / sum }
  }()

  private static let c1 = (0.01 * 255) * (0.01 * 255)
  private static let c2 = (0.03 * 255) * (0.03 * 255)

  /// - Returns: -1 to 1; nil where the window does not fit into the picture.
  static func mean(_ reference: Picture, _ other: Picture, threads: Int) -> Double? {
    guard min(reference.width, reference.height) >= windowSide else { return nil }
    let (rowCount, columnCount) = (reference.height - windowSide + 1, reference.width - windowSide + 1)
    let bands = RowBands.map(rowCount: rowCount, threads: threads) { rows in
      reference.pixels.withUnsafeBufferPointer { x in
        other.pixels.withUnsafeBufferPointer { y in
          weights.withUnsafeBufferPointer { sum(rows, x, y, rowByteCount: reference.width * 3, $0) }
        }
      }
    }
    return bands.reduce(0, +) / Double(rowCount * columnCount * 3)
  }

  /// The sum over windows whose uppermost row is one of `rows`.
  private static func sum(
    _ rows: Range<Int>, _ x: UnsafeBufferPointer<UInt8>, _ y: UnsafeBufferPointer<UInt8>, rowByteCount count: Int,
    _ weights: UnsafeBufferPointer<Double>
  ) -> Double {
    // Five moments a byte, weighed down the columns; then along the row.
    withUnsafeTemporaryAllocation(of: Double.self, capacity: 5 * count) { columns in
      let meanX = columns.baseAddress!
      let (meanY, xx, yy, xy) = (meanX + count, meanX + 2 * count, meanX + 3 * count, meanX + 4 * count)
      var sum = 0.0
      for row in rows {
        columns.update(repeating: 0)
        for tap in 0..<windowSide {
          let (weight, start) = (weights[tap], (row + tap) * count)
          for place in 0..<count {
            let (a, b) = (Double(x[start + place]), Double(y[start + place]))
            meanX[place] += weight * a
            meanY[place] += weight * b
            xx[place] += weight * (a * a)
            yy[place] += weight * (b * b)
            xy[place] += weight * (a * b)
          }
        }
        // Channels lie side by side: the next column is three bytes away.
        for place in 0..<count - 3 * (windowSide - 1) {
          var (a, b, aa, bb, ab) = (0.0, 0.0, 0.0, 0.0, 0.0)
          for tap in 0..<windowSide {
            let (weight, column) = (weights[tap], place + 3 * tap)
            a += weight * meanX[column]
            b += weight * meanY[column]
            aa += weight * xx[column]
            bb += weight * yy[column]
            ab += weight * xy[column]
          }
          let luminance = (2 * (a * b) + c1) / (a * a + b * b + c1)
          let structure = (2 * (ab - a * b) + c2) / ((aa - a * a) + (bb - b * b) + c2)
          sum += luminance * structure
        }
      }
      return sum
    }
  }
}
