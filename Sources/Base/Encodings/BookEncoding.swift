import Kernels
import Tensors

/// Codes with learned levels in groups of 32 or 16 columns: a byte a group under one bf16 scale a row.
///
/// value = row scale x (multiple x (level[code] + shift)). The byte of a group holds the sign of its multiple, which of up to four
/// shifts it takes, and the multiple's magnitude. At 8 bits the levels are all integers from -128 on, without shifts. Format:
/// formats/bantam.md, section 9.
public struct BookEncoding: Encoding, Hashable {
  public let book: LevelBook

  public init(_ book: LevelBook) { self.book = book }

  private var stem: String { (book.bits == 8 ? "even" : "book") + "\(book.bits)" }
  public var name: String { "\(stem)-g\(book.group)" }
  public var shortName: String { book.group == GroupTile.columns ? stem : name }
  public var summary: String {
    switch (book.bits, book.group) {
    case (8, _): "hardly to be told from full precision"
    case (6, _): "very close to full precision"
    case (5, _): "close to full precision"
    case (4, 32): "the usual choice for small memory"
    case (4, _): "a little more than \(BookEncoding.book4.shortName), and better"
    default: "where nothing else fits"
    }
  }
  public var codeBits: Int? { book.bits }
  public var isLossy: Bool { true }
  public var hidesRoundedActivations: Bool { book.bits <= 4 }
  public var hasDots: Bool { true }
  public var grain: (rows: Int, columns: Int) { (GroupTile.rows, GroupTile.columns) }
  public var solver: (any Solver)? { BookSearch(book: book) }

  public var parameters: String {
    func list(_ numbers: [Int8]) -> String { "[" + numbers.map { "\($0)" }.joined(separator: ",") + "]" }
    return
      #"{"bits":\#(book.bits),"group":\#(book.group),"levels":\#(list(book.levels)),"row":"BF16","shifts":\#(list(book.shifts))}"#
  }

  /// The encoding that a file names; nil for parameters that are not written just so.
  init?(name: String, parameters: String) {
    func numbers(_ member: String) -> [Int8]? {
      guard let start = parameters.firstRange(of: "\"\(member)\":[")?.upperBound,
        let end = parameters[start...].firstIndex(of: "]")
      else { return nil }
      let parts = parameters[start..<end].split(separator: ",", maxSplits: 64, omittingEmptySubsequences: true)
      let numbers = parts.compactMap { Int8($0) }
      return numbers.count == parts.count ? numbers : nil
    }
    guard let levels = numbers("levels"), let shifts = numbers("shifts") else { return nil }
    for bits in [3, 4, 5, 6, 8] {
      for group in [16, 32] {
        guard let book = LevelBook(bits: bits, group: group, levels: levels, shifts: shifts) else { continue }
        self.init(book)
        if self.name == name && self.parameters == parameters { return }
      }
    }
    return nil
  }

  // MARK: Where bytes lie

  public func codeLayout(of shape: EncodedShape) -> TileLayout { shape.codeLayout(bits: book.bits)! }

  /// Bytes of a group's 16 rows side by side, groups in the order of the codes.
  public static let multipleLayout = TileLayout(
    elementBits: 8, tileRows: GroupTile.rows, tileColumns: 1, turnColumns: 1)!
  /// The scales of 16 rows side by side.
  public static let rowLayout = GroupEncoding.scaleLayout

  public func planes(of shape: EncodedShape) -> [PlaneShape]? {
    let (groups, overflow) = shape.tilesAcross.multipliedReportingOverflow(by: book.groupsOfTile)
    guard !overflow, let layout = shape.codeLayout(bits: book.bits), let codes = layout.planeByteCount(shape.matrix),
      let multiples = Self.multipleLayout.planeByteCount(MatrixShape(rows: shape.rows, columns: groups)),
      let rows = Self.rowLayout.planeByteCount(MatrixShape(rows: shape.rows, columns: 1))
    else { return nil }
    return [
      PlaneShape(kind: .codes, layout: .tiled(layout), byteCount: codes),
      PlaneShape(kind: .scales, layout: .tiled(Self.multipleLayout), byteCount: multiples),
      PlaneShape(kind: .rowScales, layout: .tiled(Self.rowLayout), byteCount: rows),
    ]
  }

  public func byteRange(plane: Int, of shape: EncodedShape, stripe: Int, columns: Range<Int>) -> Range<Int> {
    if plane == 2 { return stripe * GroupTile.rows * 2..<(stripe + 1) * GroupTile.rows * 2 }
    return shape.tileBytes(
      stripe: stripe, columns: columns, byteCount: plane == 0 ? book.codeByteCount : book.multipleByteCount)
  }

  // MARK: What bytes mean

  public func decode(
    _ piece: PlaneBytes, dtype: DType, rows: Int, columns: Int, into out: UnsafeMutablePointer<Float>, stride: Int
  ) {
    BookKernels.decode(
      BookPlanes(piece), book: book, rows: rows, columns: columns,
      out: .init(start: out, count: (rows - 1) * stride + columns), rowStride: stride)
  }

  // MARK: Products

  public func pack(
    _ matrix: EncodedMatrix, outputs: Range<Int>, inputs: Range<Int>, into panel: UnsafeMutablePointer<Float>,
    scratch: Scratch
  ) {
    packStripes(matrix, outputs: outputs, inputs: inputs, into: panel) { piece, half in
      BookKernels.decodePanel(BookPlanes(piece), book: book, columns: inputs.count, panel: half)
    }
  }

  public func multiply(
    _ matrix: EncodedMatrix, outputs: Range<Int>, by rows: QuantizedRows, into out: UnsafeMutablePointer<Float>,
    stride: Int
  ) {
    precondition(rows.runs.count * rows.runGroups == matrix.shape.tilesAcross)
    DotProduct.multiply(
      rows, planes(of: matrix, from: outputs.lowerBound), book: book, outputCount: outputs.count, into: out,
      stride: stride)
  }

  public func multiplyRow(
    _ matrix: EncodedMatrix, outputs: Range<Int>, by x: UnsafePointer<Float>, into out: UnsafeMutablePointer<Float>,
    scratch: Scratch
  ) {
    BookKernels.multiplyRow(
      planes(of: matrix, from: outputs.lowerBound), book: book, x: x, columns: matrix.shape.columns, out: out,
      outputCount: outputs.count)
  }

  /// The planes from an output on, which begins a tile.
  private func planes(of matrix: EncodedMatrix, from output: Int) -> BookPlanes {
    precondition(output % GroupTile.rows == 0)
    let stripe = output / GroupTile.rows
    let first = stripe * matrix.shape.tilesAcross
    return BookPlanes(
      codes: .init(rebasing: matrix.planes[0][(first * book.codeByteCount)...]),
      multiples: .init(rebasing: matrix.planes[1][(first * book.multipleByteCount)...]),
      rowScales: .init(rebasing: matrix.planes[2][(stripe * GroupTile.rows * 2)...]))
  }
}

extension BookPlanes {
  init(_ piece: PlaneBytes) { self.init(codes: piece[0], multiples: piece[1], rowScales: piece[2]) }
}

/// Finds multiples, shifts and codes together, by trials that are judged by the error of the values as they will be decoded.
private struct BookSearch: Solver {
  let book: LevelBook

  var method: String { "search of multiple, shift and codes" }
  var lowestDecibels: Double { [3: 5, 4: 10, 5: 14, 6: 18, 8: 20][book.bits] ?? 10 }
  var needsWholeRows: Bool { true }

  func encode(
    _ values: UnsafeRawBufferPointer, dtype: DType, rowStride: Int, rows: Int, columns: Int, segmentColumns: Int,
    guide: ColumnGuide?, into planes: [UnsafeMutableRawBufferPointer], sums: inout ErrorSums
  ) {
    if let guide {
      return BookKernels.quantize(
        values, dtype: dtype, rowStride: rowStride, rows: rows, columns: columns, segmentColumns: segmentColumns,
        book: book, guide: guide, codes: planes[0], multiples: planes[1], rowScales: planes[2], sums: &sums)
    }
    BookKernels.quantize(
      values, dtype: dtype, rowStride: rowStride, rows: rows, columns: columns, segmentColumns: segmentColumns,
      book: book, codes: planes[0], multiples: planes[1], rowScales: planes[2], sums: &sums)
  }
}

/// The books that quantizing uses: learned on normally distributed values (tools/books), so that every shift makes one level zero.
///
/// Weights that are far smaller than their neighbours often meet activations that are far larger: what such a weight is rounded to
/// must not be larger than itself.
extension Encoding where Self == BookEncoding {
  public static var book3: Self {
    .learned(bits: 3, group: 32, levels: [-79, -51, -34, -17, 0, 19, 41, 74], shiftStep: 17)
  }
  public static var book4: Self {
    .learned(
      bits: 4, group: 32, levels: [-96, -75, -60, -48, -37, -27, -18, -9, 0, 10, 19, 30, 42, 55, 70, 95], shiftStep: 9)
  }
  /// Groups of 16.
  public static var book4Fine: Self {
    .learned(
      bits: 4, group: 16, levels: [-101, -73, -59, -47, -37, -27, -18, -9, 0, 10, 20, 30, 42, 55, 69, 97], shiftStep: 9)
  }
  public static var book5: Self {
    .learned(
      bits: 5, group: 32,
      levels: [
        -119, -91, -78, -68, -60, -53, -47, -41, -36, -31, -26, -21, -16, -12, -8, -4, 0, 5, 9, 13, 18, 23, 28, 33, 38,
        44, 51, 58, 66, 76, 89, 113,
      ], shiftStep: 4)
  }
  public static var book6: Self {
    .learned(
      bits: 6, group: 32,
      levels: [
        -123, -100, -88, -82, -76, -70, -65, -61, -58, -54, -51, -47, -45, -42, -39, -37, -34, -32, -30, -27, -25, -23,
        -21, -19, -17, -15, -13, -11, -8, -6, -4, -2, -1, 0, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 26, 28, 30, 33, 35,
        37, 40, 43, 47, 50, 53, 57, 61, 65, 70, 76, 86, 97, 115,
      ], shiftStep: 2)
  }
  /// All integers of 8 bits.
  public static var even8: Self { BookEncoding(LevelBook(bits: 8, group: 32)!) }
}

extension BookEncoding {
  /// A book with four shifts.
  fileprivate static func learned(bits: Int, group: Int, levels: [Int8], shiftStep: Int8) -> BookEncoding {
    BookEncoding(
      LevelBook(bits: bits, group: group, levels: levels, shifts: [0, shiftStep, 2 * shiftStep, 3 * shiftStep])!)
  }
}
