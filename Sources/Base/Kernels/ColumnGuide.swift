import CKernels
import Tensors

/// What data says of the columns of a matrix to whoever rounds its rows: what an error in each column costs, and how columns behind
/// make up for it.
///
/// Source: Frantar et al., "GPTQ: Accurate Post-Training Quantization for Generative Pre-trained Transformers".
public struct ColumnGuide: Sendable {
  /// `[columns]`, above 0, 1 in the mean.
  public let importance: [Float]
  /// Nil where columns are rounded each for itself.
  public let feedback: Feedback?

  /// What a column's error is worth to the columns behind it, by blocks of the columns of a segment.
  public struct Feedback: Sendable {
    /// The matrices of the blocks one after another, `[size, size]` f32 each.
    let factors: AlignedBuffer
    /// Columns of a block, a multiple of 32; the last of a segment may have fewer.
    let blockColumns: Int
    let segmentColumns: Int

    func withRaw(_ body: (inout ck_feedback) -> Void) {
      var raw = ck_feedback(
        factors: factors.bytes.assumingMemoryBound(to: Float.self).baseAddress, block: blockColumns)
      body(&raw)
      withExtendedLifetime(factors) {}
    }
  }

  public init(importance: [Float], feedback: Feedback? = nil) {
    self.importance = importance
    self.feedback = feedback
  }

  /// The same for rows of several segments, such as the taps of a convolution.
  public func repeated(_ count: Int) -> ColumnGuide {
    ColumnGuide(importance: (0..<count).flatMap { _ in importance }, feedback: feedback)
  }
}

extension ColumnGuide {
  /// Columns whose errors are felt through second moments of what they are multiplied with.
  /// - Parameters:
  ///   - blocks: symmetric matrices `[size, size]`, positive semidefinite, of `blockColumns` columns each but for the last.
  ///   - damping: added to the diagonal, as a part of its mean; raised tenfold at a time, up to that mean, where a matrix is too close to
  ///     singular.
  /// - Returns: nil where a matrix holds no numbers, or there is no LAPACK. The damping that the worst block took.
  /// - Throws: ``FileError/outOfMemory(byteCount:)``.
  public static func feedback(
    columns: Int, blockColumns: Int, damping: Double, block: (Range<Int>) throws -> [Double]
  ) throws -> (guide: ColumnGuide, damping: Double)? {
    guard let library = OpenBLAS.shared, blockColumns % GroupTile.columns == 0 else { return nil }
    let ranges = stride(from: 0, to: columns, by: blockColumns).map { $0..<min(columns, $0 + blockColumns) }
    let factors = try AlignedBuffer(byteCount: 4 * ranges.reduce(0) { $0 + $1.count * $1.count })
    let values = factors.bytes.assumingMemoryBound(to: Float.self).baseAddress!
    var importance: [Double] = []
    var (place, worst) = (0, damping)
    for range in ranges {
      let size = range.count
      let moments = try block(range)
      let mean = (0..<size).reduce(0) { $0 + moments[$1 * (size + 1)] } / Double(size)
      guard mean.isFinite, mean >= 0 else { return nil }
      var found: [Double]?
      for factor in sequence(first: damping, next: { $0 * 10 }).prefix(while: { $0 <= 1 }) where found == nil {
        var damped = moments
        for index in 0..<size { damped[index * (size + 1)] += mean > 0 ? factor * mean : 1 }
        found = library.inverseOfFactor(&damped, size: size) ? damped : nil
        worst = max(worst, factor)
      }
      guard let inverse = found else { return nil }
      for column in 0..<size {
        let diagonal = inverse[column * (size + 1)]
        importance.append(1 / (diagonal * diagonal))
        for later in column + 1..<max(size, column + 1) {
          values[place + later * size + column] = Float(inverse[column * size + later] / diagonal)
        }
      }
      place += size * size
    }
    let total = importance.reduce(0, +) / Double(importance.count)
    guard total.isFinite, total > 0 else { return nil }
    return (
      ColumnGuide(
        importance: importance.map { max(Float($0 / total), .leastNormalMagnitude) },
        feedback: Feedback(factors: factors, blockColumns: blockColumns, segmentColumns: columns)), worst
    )
  }

  /// Columns that count by the squares of what they are multiplied with, those of no data as little as a thousandth of the mean.
  public static func weighted(squares: [Double]) -> ColumnGuide? {
    let mean = squares.reduce(0, +) / Double(max(1, squares.count))
    guard mean.isFinite, mean > 0 else { return nil }
    return ColumnGuide(importance: squares.map { Float(max($0 / mean, 1e-3)) })
  }
}

extension BookKernels {
  /// Quantizes a stripe by what data says of its columns; the rest as without.
  /// - Precondition: the guide has as many columns as the rows.
  public static func quantize(
    _ values: UnsafeRawBufferPointer, dtype: DType, rowStride: Int, rows: Int, columns: Int, segmentColumns: Int,
    book: LevelBook, guide: ColumnGuide, codes: UnsafeMutableRawBufferPointer,
    multiples: UnsafeMutableRawBufferPointer, rowScales: UnsafeMutableRawBufferPointer, sums: inout ErrorSums
  ) {
    precondition(guide.importance.count == columns)
    guard let feedback = guide.feedback else {
      return guide.importance.withUnsafeBufferPointer {
        quantize(
          values, dtype: dtype, rowStride: rowStride, rows: rows, columns: columns, segmentColumns: segmentColumns,
          book: book, importance: $0, codes: codes, multiples: multiples, rowScales: rowScales, sums: &sums)
      }
    }
    let tiles = columns / segmentColumns * GroupTile.count(columns: segmentColumns)
    precondition(dtype.isCastable && (1...GroupTile.rows).contains(rows) && columns % segmentColumns == 0)
    precondition(values.count >= ((rows - 1) * rowStride + columns) * dtype.bitWidth / 8)
    precondition(feedback.segmentColumns == segmentColumns)
    BookPlanes(codes: .init(codes), multiples: .init(multiples), rowScales: .init(rowScales))
      .check(book, tiles: tiles, stripes: 1)
    withUnsafeTemporaryAllocation(byteCount: 4 * tiles * GroupTile.rows * GroupTile.columns, alignment: 64) { work in
      var book = book.raw
      guide.importance.withUnsafeBufferPointer { importance in
        feedback.withRaw { raw in
          sums.add { found in
            ck_feed_back_book_stripe(
              values.baseAddress, dtype.kernelNumber, rowStride, rows, columns, segmentColumns, &book,
              importance.baseAddress, &raw, work.assumingMemoryBound(to: Float.self).baseAddress,
              codes.assumingMemoryBound(to: UInt8.self).baseAddress,
              multiples.assumingMemoryBound(to: UInt8.self).baseAddress,
              rowScales.assumingMemoryBound(to: UInt16.self).baseAddress, &found)
          }
        }
      }
    }
  }
}

extension GroupKernels {
  /// Quantizes a stripe by what data says of its columns, in segments in which groups begin anew; the rest as without.
  /// - Precondition: the guide has as many columns as the rows.
  public static func quantize(
    _ values: UnsafeRawBufferPointer, dtype: DType, rowStride: Int, rows: Int, columns: Int, segmentColumns: Int,
    bits: Int, guide: ColumnGuide, codes: UnsafeMutableRawBufferPointer, scales: UnsafeMutableRawBufferPointer,
    sums: inout ErrorSums
  ) {
    precondition(guide.importance.count == columns && columns % segmentColumns == 0)
    precondition(guide.feedback.map { $0.segmentColumns == segmentColumns } ?? true)
    let tiles = columns / segmentColumns * GroupTile.count(columns: segmentColumns)
    precondition(dtype.isCastable && (bits == 8 || bits == 4) && (1...GroupTile.rows).contains(rows))
    precondition(values.count >= ((rows - 1) * rowStride + columns) * dtype.bitWidth / 8)
    precondition(
      codes.count >= tiles * GroupTile.codeByteCount(bits: bits) && scales.count >= tiles * GroupTile.scaleByteCount)
    withUnsafeTemporaryAllocation(byteCount: 4 * tiles * GroupTile.rows * GroupTile.columns, alignment: 64) { work in
      guide.importance.withUnsafeBufferPointer { importance in
        func run(_ feedback: UnsafePointer<ck_feedback>?) {
          sums.add { found in
            ck_quantize_guided_stripe(
              values.baseAddress, dtype.kernelNumber, rowStride, rows, columns, segmentColumns, Int32(bits),
              importance.baseAddress, feedback, work.assumingMemoryBound(to: Float.self).baseAddress,
              codes.assumingMemoryBound(to: UInt8.self).baseAddress,
              scales.assumingMemoryBound(to: UInt16.self).baseAddress, &found)
          }
        }
        if let feedback = guide.feedback { feedback.withRaw { run(&$0) } } else { run(nil) }
      }
    }
  }
}
