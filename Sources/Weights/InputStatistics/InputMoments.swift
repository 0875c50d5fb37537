import Kernels
import Tensors

/// Second moments of the inputs of one matrix, as they are collected.
///
/// Products of at most 512 rows are summed in f32, these sums exactly: so the result does not depend on threads, nor on the order in which
/// documents come.
public final class InputMoments {
  public let blocks: MomentBlocks
  /// Rows seen.
  public private(set) var rowCount = 0
  public private(set) var largest: [Float]
  /// Sums of squares by column: `[2, columns]`, see ``SplitSum``.
  private(set) var squares: [Double]
  /// Of each block `[2, triangle]`, one block after another.
  private let sums: TemporaryMemory

  public init(columns: Int, blockColumns: Int) throws(FileError) {
    blocks = MomentBlocks(columns: columns, blockColumns: blockColumns)
    largest = Array(repeating: 0, count: columns)
    squares = Array(repeating: 0, count: 2 * columns)
    sums = try TemporaryMemory(
      byteCount: blocks.ranges.reduce(0) { $0 + 16 * MomentBlocks.triangleCount($1.count) })
  }

  private static let rowsAtOnce = 512

  /// Adds rows of inputs.
  /// - Parameters:
  ///   - x: `[rowCount, columns]`, finite.
  ///   - weights: what the squares of each row count; nil: 1.
  public func add(_ x: UnsafePointer<Float>, rowCount: Int, weights: [Float]?, threadCount: Int) throws(FileError) {
    precondition(weights.map { $0.count == rowCount } ?? true)
    let columns = blocks.columns
    let turned = try AlignedBuffer(byteCount: 4 * columns * Self.rowsAtOnce)
    for first in stride(from: 0, to: rowCount, by: Self.rowsAtOnce) {
      let count = min(Self.rowsAtOnce, rowCount - first)
      let roots = (first..<first + count).map { weights?[$0].squareRoot() ?? 1 }
      let values = turned.bytes.assumingMemoryBound(to: Float.self).baseAddress!
      turn(x + first * columns, roots, into: values, threadCount)
      addSquares(values, count)
      addBlocks(values, count, threadCount)
    }
    self.rowCount += rowCount
  }

  /// Columns as rows, each of 512: `[columns, rows]`. Keeps the largest magnitudes, unweighted.
  private func turn(
    _ x: UnsafePointer<Float>, _ roots: [Float], into values: UnsafeMutablePointer<Float>, _ threadCount: Int
  ) {
    let (columns, stride) = (blocks.columns, Self.rowsAtOnce)
    nonisolated(unsafe) let (x, values) = (x, values)
    largest.withUnsafeMutableBufferPointer { largest in
      nonisolated(unsafe) let largest = largest
      let width = 64
      Workers.run(threadCount: threadCount, itemCount: (columns + width - 1) / width) { _, item in
        for row in roots.indices {
          for column in item * width..<min(columns, (item + 1) * width) {
            let value = x[row * columns + column]
            largest[column] = max(largest[column], abs(value))
            values[column * stride + row] = value * roots[row]
          }
        }
      }
    }
  }

  private func addSquares(_ values: UnsafePointer<Float>, _ rowCount: Int) {
    let columns = blocks.columns
    squares.withUnsafeMutableBufferPointer { squares in
      for column in 0..<columns {
        var exact = 0.0
        for row in 0..<rowCount {
          let value = Double(values[column * Self.rowsAtOnce + row])
          exact += value * value
        }
        var term = Float(exact)
        SplitSum.add(&term, count: 1, high: squares.baseAddress! + column, low: squares.baseAddress! + columns + column)
      }
    }
  }

  /// Columns `j` of a block with all columns up to them, a panel of 32 at a time.
  private func addBlocks(_ values: UnsafePointer<Float>, _ rowCount: Int, _ threadCount: Int) {
    let width = PanelProduct.columns
    var items: [(range: Range<Int>, place: Int, first: Int)] = []
    var place = 0
    for range in blocks.ranges {
      for first in stride(from: 0, to: range.count, by: width) { items.append((range, place, first)) }
      place += 2 * MomentBlocks.triangleCount(range.count)
    }
    let stride = Self.rowsAtOnce
    nonisolated(unsafe) let values = values
    nonisolated(unsafe) let sums = sums.bytes.assumingMemoryBound(to: Double.self).baseAddress
    Workers.run(threadCount: threadCount, itemCount: items.count) { [items] _, number in
      let (range, place, first) = items[items.count - 1 - number]
      let (size, count) = (range.count, min(width, range.count - first))
      let base = values + range.lowerBound * stride
      withUnsafeTemporaryAllocation(of: Float.self, capacity: width * rowCount) { panel in
        PanelProduct.packRows(
          base + first * stride, dtype: .f32, stride: stride, columns: count, depth: rowCount,
          panel: panel.baseAddress!)
        withUnsafeTemporaryAllocation(of: Float.self, capacity: (first + count) * width) { products in
          PanelProduct.multiply(
            a: base, aStride: stride, rows: first + count, panel: panel.baseAddress!, depth: rowCount,
            c: products.baseAddress!, cStride: width, columns: count, adding: false)
          for row in 0..<first + count {
            let skipped = max(0, row - first)
            let start = place + MomentBlocks.rowStart(row, size: size) + first + skipped - row
            SplitSum.add(
              products.baseAddress! + row * width + skipped, count: count - skipped, high: sums! + start,
              low: sums! + start + MomentBlocks.triangleCount(size))
          }
        }
      }
    }
  }

  /// The sums of a block, `[2, triangle]`.
  func sums(of number: Int) -> UnsafeRawBufferPointer {
    let counts = blocks.ranges.map { 16 * MomentBlocks.triangleCount($0.count) }
    let start = counts[..<number].reduce(0, +)
    return UnsafeRawBufferPointer(rebasing: sums.bytes[start..<start + counts[number]])
  }
}
