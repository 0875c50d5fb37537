import Encodings
import Kernels
import Tensors

/// What errors of weights do to the outputs of their matrix: over the rows of inputs that statistics have summed up, the energy of the
/// outputs and of their errors. Columns of different blocks count as unrelated.
public final class OutputMeter: Sendable {
  /// Energies of outputs and of their errors, in units of their own.
  public struct Sums: Sendable, Equatable {
    public var energy = 0.0
    public var error = 0.0

    public init() {}

    /// Infinite where nothing was lost.
    public var sqnrDecibels: Double { Kernels.decibels(energy, over: error) }
  }

  private let shape: EncodedShape
  /// Of the columns of a segment.
  private let ranges: [Range<Int>]
  /// For each 32 columns of a block, panels of their moments with the columns up to them: `[first + 32, 32]` f32.
  private let panels: AlignedBuffer?
  /// `[columns of a segment]`: the diagonal.
  private let squares: [Double]

  private static let width = PanelProduct.columns

  /// - Returns: nil where the inputs were never seen.
  /// - Throws: ``StatisticsError/otherWidth(path:name:expected:found:)``.
  public init?(_ sums: any InputSums, _ name: String, _ shape: EncodedShape) throws {
    guard let entry = sums.seenEntry(name, shape) else { return nil }
    try sums.check(entry, shape)
    self.shape = shape
    let scale = 1 / Double(entry.rowCount)
    let isWhole = shape.matrix.taps == 1 || shape.order == .tapMajor
    // Taps in the source's order lie side by side.
    let diagonal = try sums.squares(entry).map { $0 * scale }
    squares = isWhole ? diagonal : diagonal.flatMap { Array(repeating: $0, count: shape.matrix.taps) }
    guard isWhole, entry.blocks.blockColumns > 0 else {
      (ranges, panels) = ([], nil)
      return
    }
    ranges = entry.blocks.ranges
    let width = Self.width
    let count = ranges.reduce(0) { sum, range in
      sum + stride(from: 0, to: range.count, by: width).reduce(0) { $0 + ($1 + width) * width }
    }
    let panels = try AlignedBuffer(byteCount: 4 * count)
    self.panels = panels
    let values = panels.bytes.assumingMemoryBound(to: Float.self).baseAddress!
    var place = 0
    for range in ranges {
      let moments = try sums.moments(entry, range)
      for first in stride(from: 0, to: range.count, by: width) {
        for row in 0..<first + width {
          for column in 0..<width {
            let isThere = row < range.count && first + column < range.count
            values[place] = isThere ? Float(moments[row * range.count + first + column] * scale) : 0
            place += 1
          }
        }
      }
    }
  }

  /// Adds rows of weights and what became of them.
  /// - Parameters:
  ///   - weights, decoded: `[rows, columns]`, in the order of the shape; `decoded` becomes their difference.
  public func add(
    _ weights: UnsafePointer<Float>, _ decoded: UnsafeMutablePointer<Float>, rows: Int, to sums: inout Sums
  ) {
    let columns = shape.columns
    for index in 0..<rows * columns { decoded[index] -= weights[index] }
    for start in stride(from: 0, to: columns, by: shape.segmentColumns) {
      sums.energy += energy(weights + start, rows)
      sums.error += energy(UnsafePointer(decoded) + start, rows)
    }
  }

  /// The sum over rows w of w M w^T, for the columns of one segment.
  private func energy(_ x: UnsafePointer<Float>, _ rows: Int) -> Double {
    let stride = shape.columns
    var sum = 0.0
    guard let panels else {
      for row in 0..<rows {
        for (column, square) in squares.enumerated() {
          let value = Double(x[row * stride + column])
          sum += value * value * square
        }
      }
      return sum
    }
    let width = Self.width
    var panel = UnsafePointer(panels.bytes.assumingMemoryBound(to: Float.self).baseAddress!)
    withUnsafeTemporaryAllocation(of: Float.self, capacity: 2 * rows * width) { products in
      let (before, beside) = (products.baseAddress!, products.baseAddress! + rows * width)
      for range in ranges {
        let block = x + range.lowerBound
        for first in Swift.stride(from: 0, to: range.count, by: width) {
          let count = min(width, range.count - first)
          // Columns before count twice: they also stand behind.
          PanelProduct.multiply(
            a: block, aStride: stride, rows: rows, panel: panel, depth: first, c: before, cStride: width,
            columns: count, adding: false)
          PanelProduct.multiply(
            a: block + first, aStride: stride, rows: rows, panel: panel + first * width, depth: count, c: beside,
            cStride: width, columns: count, adding: false)
          for row in 0..<rows {
            for column in 0..<count {
              let place = row * width + column
              sum += Double(block[row * stride + first + column]) * Double(2 * before[place] + beside[place])
            }
          }
          panel += (first + width) * width
        }
      }
    }
    return sum
  }
}
