import Glibc
import Pictures

/// HaarPSI, a perceptual similarity that needs no trained weights and sees colour.
///
/// Both pictures are halved. Edges of their lightness, upright and level, are compared at two fine scales, and count as much as the
/// stronger of the two pictures' edges at a third, coarser scale: errors matter where there is something to see. Colour is compared
/// as means of 2 x 2, and counts as much as the edges of both orientations.
///
/// Source: R. Reisenhofer, S. Bosse, G. Kutyniok, T. Wiegand, A Haar Wavelet-Based Perceptual Similarity Index for Image Quality
/// Assessment, Signal Processing: Image Communication 61, 2018; the colours' matrix and the zeros outside of the picture are those of
/// the authors' program.
enum HaarSimilarity {
  private static let c = 30.0
  private static let alpha = 4.2
  /// Half the sides of the three wavelets.
  private static let halves = [1, 2, 4]

  /// - Returns: 0 to 1.
  /// - Precondition: the pictures have one size and are not both black.
  static func index(_ reference: Picture, _ other: Picture, threads: Int) -> Double {
    let bands = RowBands.map(rowCount: HalfResolution.height(of: reference), threads: threads) { rows in
      sum(rows, reference, other)
    }
    let total = bands.reduce((similarity: 0.0, weight: 0.0)) { ($0.similarity + $1.similarity, $0.weight + $1.weight) }
    let mean = total.similarity / total.weight
    let logit = log(mean / (1 - mean)) / alpha
    return logit * logit
  }

  private static func sum(
    _ rows: Range<Int>, _ reference: Picture, _ other: Picture
  ) -> (similarity: Double, weight: Double) {
    // The largest wavelet reaches 3 rows up and 4 down.
    let seen = rows.lowerBound - 3..<rows.upperBound + 4
    let width = HalfResolution.width(of: reference)
    var (a, b) = (Details(reference, rows: seen), Details(other, rows: seen))
    var (similarity, weight) = (0.0, 0.0)
    func add(_ value: Double, _ itsWeight: Double) {
      similarity += itsWeight / (1 + exp(-alpha * value))
      weight += itsWeight
    }
    for row in rows {
      a.look(at: row - seen.lowerBound)
      b.look(at: row - seen.lowerBound)
      for x in 0..<width {
        let weights = (max(a.level[2][x], b.level[2][x]), max(a.upright[2][x], b.upright[2][x]))
        add((alike(a.level[0][x], b.level[0][x]) + alike(a.level[1][x], b.level[1][x])) / 2, weights.0)
        add((alike(a.upright[0][x], b.upright[0][x]) + alike(a.upright[1][x], b.upright[1][x])) / 2, weights.1)
        add((alike(a.i[x], b.i[x]) + alike(a.q[x], b.q[x])) / 2, (weights.0 + weights.1) / 2)
      }
    }
    return (similarity, weight)
  }

  private static func alike(_ a: Double, _ b: Double) -> Double { (2 * (a * b) + c) / (a * a + b * b + c) }

  /// Magnitudes of edges and colours in one row of a half picture.
  private struct Details {
    private let half: HalfResolution
    /// Edges that run from left to right, by scale, fine to coarse: what is above less what is below.
    private(set) var level: [[Double]]
    /// Edges that run from top to bottom: left less right.
    private(set) var upright: [[Double]]
    private(set) var i: [Double]
    private(set) var q: [Double]
    private let width: Int
    /// Sums down the columns: of the upper half of a window, and of its lower half.
    private var upper: [Double]
    private var lower: [Double]

    init(_ picture: Picture, rows: Range<Int>) {
      half = HalfResolution(picture, rows: rows)
      width = HalfResolution.width(of: picture)
      i = [Double](repeating: 0, count: width)
      q = i
      level = [i, i, i]
      upright = level
      upper = [Double](repeating: 0, count: half.stride)
      lower = upper
    }

    mutating func look(at row: Int) {
      for (scale, reach) in HaarSimilarity.halves.enumerated() { findEdges(scale, reach: reach, row: row) }
      let start = row * half.stride + HalfResolution.margin
      for x in 0..<width {
        let (here, below) = (start + x, start + x + half.stride)
        i[x] = abs(half.i[here] + half.i[here + 1] + half.i[below] + half.i[below + 1]) / 4
        q[x] = abs(half.q[here] + half.q[here + 1] + half.q[below] + half.q[below + 1]) / 4
      }
    }

    /// A window of `2 reach` pixels a side, which ends `reach` pixels to the right and below.
    private mutating func findEdges(_ scale: Int, reach: Int, row: Int) {
      for column in 0..<half.stride {
        var (above, below) = (0.0, 0.0)
        for step in 0..<reach {
          above += half.y[(row - step) * half.stride + column]
          below += half.y[(row + 1 + step) * half.stride + column]
        }
        upper[column] = above
        lower[column] = below
      }
      let norm = 1 / Double(2 * reach)
      for x in 0..<width {
        let middle = x + HalfResolution.margin
        var (vertical, horizontal) = (0.0, 0.0)
        for step in 0..<reach {
          let (left, right) = (middle - step, middle + 1 + step)
          vertical += (upper[left] - lower[left]) + (upper[right] - lower[right])
          horizontal += (upper[left] + lower[left]) - (upper[right] + lower[right])
        }
        level[scale][x] = abs(vertical) * norm
        upright[scale][x] = abs(horizontal) * norm
      }
    }
  }
}
