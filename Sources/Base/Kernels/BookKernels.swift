import CKernels
import Tensors

/// The planes of some stripes of a matrix with learned levels.
public struct BookPlanes {
  /// Tiles of 16 rows x 32 columns, along the columns first.
  public let codes: UnsafeRawBufferPointer
  /// `[tiles, groups of a tile, 16]` bytes.
  public let multiples: UnsafeRawBufferPointer
  /// `[stripes, 16]` bf16.
  public let rowScales: UnsafeRawBufferPointer

  public init(
    codes: UnsafeRawBufferPointer, multiples: UnsafeRawBufferPointer, rowScales: UnsafeRawBufferPointer
  ) {
    self.codes = codes
    self.multiples = multiples
    self.rowScales = rowScales
  }

  func check(_ book: LevelBook, tiles: Int, stripes: Int) {
    precondition(
      codes.count >= tiles * book.codeByteCount && multiples.count >= tiles * book.multipleByteCount
        && rowScales.count >= stripes * GroupTile.rows * 2)
  }

  var raw: ck_book_stripe {
    ck_book_stripe(
      codes: codes.assumingMemoryBound(to: UInt8.self).baseAddress,
      scales: multiples.assumingMemoryBound(to: UInt8.self).baseAddress,
      row_scales: rowScales.assumingMemoryBound(to: UInt16.self).baseAddress)
  }
}

/// Quantizing, decoding and multiplying with learned levels. Format: formats/bantam.md, section 9.
public enum BookKernels {
  /// Quantizes a stripe.
  /// - Parameters:
  ///   - values: `[rows, rowStride]` of `dtype` (f32, f16 or bf16), aligned to its elements; `columns` of each row count.
  ///   - segmentColumns: columns in which groups begin anew.
  ///   - importance: `[columns]`, what a squared error counts, above 0; nil where all count the same.
  ///   - codes, multiples, rowScales: the planes of the stripe, overwritten.
  ///   - sums: added to.
  /// - Precondition: the buffers are large enough, `rows` is 1 to 16.
  public static func quantize(
    _ values: UnsafeRawBufferPointer, dtype: DType, rowStride: Int, rows: Int, columns: Int, segmentColumns: Int,
    book: LevelBook, importance: UnsafeBufferPointer<Float>? = nil, codes: UnsafeMutableRawBufferPointer,
    multiples: UnsafeMutableRawBufferPointer, rowScales: UnsafeMutableRawBufferPointer, sums: inout ErrorSums
  ) {
    let tiles = columns / segmentColumns * GroupTile.count(columns: segmentColumns)
    precondition(dtype.isCastable && (1...GroupTile.rows).contains(rows) && columns % segmentColumns == 0)
    precondition(values.count >= ((rows - 1) * rowStride + columns) * dtype.bitWidth / 8)
    precondition(importance.map { $0.count >= columns } ?? true)
    BookPlanes(
      codes: .init(codes), multiples: .init(multiples), rowScales: .init(rowScales)
    ).check(book, tiles: tiles, stripes: 1)
    withUnsafeTemporaryAllocation(
      byteCount: tiles * book.groupsOfTile * Int(CK_BOOK_WORK) * MemoryLayout<Float>.stride, alignment: 64
    ) { work in
      var book = book.raw
      sums.add { found in
        ck_quantize_book_stripe(
          values.baseAddress, dtype.kernelNumber, rowStride, rows, columns, segmentColumns, &book,
          importance?.baseAddress, work.assumingMemoryBound(to: Float.self).baseAddress,
          codes.assumingMemoryBound(to: UInt8.self).baseAddress,
          multiples.assumingMemoryBound(to: UInt8.self).baseAddress,
          rowScales.assumingMemoryBound(to: UInt16.self).baseAddress, &found)
      }
    }
  }

  /// Decodes a piece of a stripe to f32: `[rows, rowStride]`, `columns` of each row overwritten.
  public static func decode(
    _ planes: BookPlanes, book: LevelBook, rows: Int, columns: Int, out: UnsafeMutableBufferPointer<Float>,
    rowStride: Int
  ) {
    precondition((1...GroupTile.rows).contains(rows) && out.count >= (rows - 1) * rowStride + columns)
    planes.check(book, tiles: GroupTile.count(columns: columns), stripes: 1)
    var (raw, book) = (planes.raw, book.raw)
    ck_decode_book_stripe(&raw, &book, rows, columns, out.baseAddress, rowStride)
  }

  /// Decodes a piece of a stripe into one half of a panel for ``PanelProduct``: `[columns, 32]`, of which 16 of each column are
  /// overwritten.
  public static func decodePanel(
    _ planes: BookPlanes, book: LevelBook, columns: Int, panel: UnsafeMutablePointer<Float>
  ) {
    planes.check(book, tiles: GroupTile.count(columns: columns), stripes: 1)
    var (raw, book) = (planes.raw, book.raw)
    ck_decode_book_panel(&raw, &book, columns, panel)
  }

  /// Adds the products of one row of exact activations, `[columns]`, to `out`, `[outputCount]`: the codes are read where they lie.
  public static func multiplyRow(
    _ planes: BookPlanes, book: LevelBook, x: UnsafePointer<Float>, columns: Int, out: UnsafeMutablePointer<Float>,
    outputCount: Int
  ) {
    let stripes = (outputCount + GroupTile.rows - 1) / GroupTile.rows
    planes.check(book, tiles: GroupTile.count(columns: columns) * stripes, stripes: stripes)
    var (raw, book) = (planes.raw, book.raw)
    ck_multiply_book_row(&raw, &book, x, columns, out, outputCount)
  }
}

extension DotProduct {
  /// `output[m, n] = sum over k of rows[m, k] * weights[n, k]`.
  ///
  /// Sums over a group's levels are exact integers. Their products with the multiples, which f32 may have to round, are
  /// added up over the groups of a tile; tiles are added up in f32, in order, by fused multiply-adds; the row's scale comes
  /// last. Every instruction set gives the same bits.
  /// - Parameters:
  ///   - planes: whole tiles of the outputs, as ``BookKernels`` leaves them.
  ///   - output: `[rowCount, stride]` f32, `outputCount` of each row overwritten.
  public static func multiply(
    _ rows: QuantizedRows, _ planes: BookPlanes, book: LevelBook, outputCount: Int,
    into output: UnsafeMutablePointer<Float>, stride: Int
  ) {
    let tiles = (outputCount + GroupTile.rows - 1) / GroupTile.rows
    precondition(stride >= outputCount)
    planes.check(book, tiles: tiles * rows.runs.count * rows.runGroups, stripes: tiles)
    let raw = planes.raw
    withUnsafePointer(to: book.raw) { book in
      var job = rows.job(codes: raw.codes, outputCount: outputCount, into: output, stride: stride)
      job.book = book
      job.byte_scales = raw.scales
      job.row_scales = raw.row_scales
      ck_book_tiles(&job, 0, tiles)
    }
  }
}
