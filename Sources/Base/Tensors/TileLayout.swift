/// How the elements of a matrix lie in a plane of bytes: parametric, reversible, and read by one scalar routine.
///
/// A row's columns are taken in an order, and cut into segments of equal length. Each segment of the rows is cut into tiles of
/// `tileRows` x `tileColumns`. Tiles lie one after another along a segment, then along the segments, then along the rows; edge
/// tiles are padded with zero bits. Inside a tile come turns: a turn is `turnColumns` consecutive columns of each of the tile's
/// rows, row after row. Where scales lie beside their tile, `tileScaleByteCount` bytes of them follow the tile's elements.
///
/// Elements of 3, 5 and 6 bits lie in slices of four, two and one bits: all that a tile has of one, then of the next.
///
/// Format: formats/bantam.md, section 7.
public struct TileLayout: Hashable, Sendable {
  /// How two 4-bit elements share a byte.
  public enum NibbleOrder: UInt8, Sendable {
    /// Elements 2k and 2k+1 of a turn: low nibble, high nibble.
    case pairs = 0
    /// Elements k and k + turnColumns/2 of a turn: low nibble, high nibble.
    case halves = 1
  }

  /// In which order the columns of a row are taken.
  public enum ColumnOrder: UInt8, Sendable {
    /// As in the source: of a convolution's kernels, channel after channel.
    case source = 0
    /// Tap after tap: channel c of tap t is column `t * channels + c`.
    case tapMajor = 1
  }

  public let elementBits: Int
  public let tileRows: Int
  public let tileColumns: Int
  public let turnColumns: Int
  public let nibbleOrder: NibbleOrder
  /// Bytes of scales that follow the elements of each tile; 0 where they have a plane of their own, or there are none.
  public let tileScaleByteCount: Int
  public let columnOrder: ColumnOrder
  /// Columns in which tiles begin anew; 0 where the row is one segment.
  public let segmentColumns: Int

  /// Fails for parameters that do not describe whole bytes, or are out of range.
  public init?(
    elementBits: Int, tileRows: Int, tileColumns: Int, turnColumns: Int, nibbleOrder: NibbleOrder = .pairs,
    tileScaleByteCount: Int = 0, columnOrder: ColumnOrder = .source, segmentColumns: Int = 0
  ) {
    guard [3, 4, 5, 6, 8, 16, 32, 64].contains(elementBits), (1...4096).contains(tileRows),
      (1...4096).contains(tileColumns),
      (1...tileColumns).contains(turnColumns), tileColumns % turnColumns == 0,
      Self.isSliced(elementBits)
        ? Self.isSliceable(tileRows, tileColumns, turnColumns) : turnColumns * elementBits % 8 == 0,
      (0...65_535).contains(tileScaleByteCount), (0...Int(UInt32.max)).contains(segmentColumns)
    else { return nil }
    self.elementBits = elementBits
    self.tileRows = tileRows
    self.tileColumns = tileColumns
    self.turnColumns = turnColumns
    self.nibbleOrder = nibbleOrder
    self.tileScaleByteCount = tileScaleByteCount
    self.columnOrder = columnOrder
    self.segmentColumns = segmentColumns
  }

  private static func isSliced(_ bits: Int) -> Bool { [3, 5, 6].contains(bits) }

  /// Eight turns, of whose elements each slice fills whole bytes.
  private static func isSliceable(_ rows: Int, _ columns: Int, _ turn: Int) -> Bool {
    columns == 8 * turn && rows * turn % 8 == 0
  }

  /// Whether elements lie in slices.
  public var isSliced: Bool { Self.isSliced(elementBits) }

  /// Whether the columns are neither in the source's order nor in one run.
  public var isSegmented: Bool { columnOrder != .source || segmentColumns != 0 }

  /// Whether a matrix can lie so: segments of equal length, taps where they are to be told apart.
  public func fits(_ shape: MatrixShape) -> Bool {
    (segmentColumns == 0 || shape.columns % segmentColumns == 0) && (columnOrder == .source || shape.taps > 1)
  }

  /// Bytes of the elements of one tile.
  public var tileElementByteCount: Int { tileRows * tileColumns * elementBits / 8 }
  /// Bytes of one tile with the scales beside it.
  public var tileByteCount: Int { tileElementByteCount + tileScaleByteCount }

  /// Tiles along one segment of a row of so many columns.
  public func tilesAlongSegment(columns: Int) -> Int {
    ((segmentColumns == 0 ? columns : segmentColumns) + tileColumns - 1) / tileColumns
  }

  public func tilesAcross(columns: Int) -> Int {
    (segmentColumns == 0 ? 1 : columns / segmentColumns) * tilesAlongSegment(columns: columns)
  }

  public func tilesDown(rows: Int) -> Int { (rows + tileRows - 1) / tileRows }

  /// Bytes of the plane, or nil where that overflows.
  /// - Precondition: ``fits(_:)``.
  public func planeByteCount(_ shape: MatrixShape) -> Int? {
    let (tiles, overflow) = tilesAcross(columns: shape.columns).multipliedReportingOverflow(
      by: tilesDown(rows: shape.rows))
    let (bytes, tooLarge) = tiles.multipliedReportingOverflow(by: tileByteCount)
    return overflow || tooLarge ? nil : bytes
  }

  /// The place of a column of the source in the order of this layout.
  public func place(of column: Int, in shape: MatrixShape) -> Int {
    switch columnOrder {
    case .source: column
    case .tapMajor: column % shape.taps * shape.channels + column / shape.taps
    }
  }

  /// The tile of an element, and its column there.
  private func tile(row: Int, column: Int, in shape: MatrixShape) -> (tile: Int, column: Int) {
    let place = place(of: column, in: shape)
    let segment = segmentColumns == 0 ? max(1, shape.columns) : segmentColumns
    let inSegment = place % segment
    let tile =
      row / tileRows * tilesAcross(columns: shape.columns)
      + place / segment * tilesAlongSegment(columns: shape.columns) + inSegment / tileColumns
    return (tile, inSegment % tileColumns)
  }

  /// Where the slices of an element lie, its lowest bits first: byte offset in the plane, the shift of the low bit in that byte, and
  /// how many bits.
  /// - Parameter column: of the source.
  /// - Precondition: ``fits(_:)``, elements lie in slices.
  public func slices(
    row: Int, column: Int, in shape: MatrixShape
  ) -> [(byteOffset: Int, shift: Int, bits: Int)] {
    precondition(isSliced)
    let (tile, inTile) = tile(row: row, column: column, in: shape)
    let turnElements = tileRows * turnColumns
    let (turn, place) = (inTile / turnColumns, row % tileRows * turnColumns + inTile % turnColumns)
    var start = tile * tileByteCount
    var slices: [(byteOffset: Int, shift: Int, bits: Int)] = []
    for bits in [4, 2] where elementBits & bits != 0 {
      // The turns that share a line of bytes.
      let sharing = 8 / bits
      slices.append((start + turn / sharing * turnElements + place, turn % sharing * bits, bits))
      start += 8 / sharing * turnElements
    }
    if elementBits & 1 != 0 { slices.append((start + (turn * turnElements + place) / 8, place % 8, 1)) }
    return slices
  }

  /// Where an element lies: byte offset in the plane, and the shift of its low bit in that byte (0 unless 4-bit).
  /// - Parameter column: of the source.
  /// - Precondition: ``fits(_:)``, elements do not lie in slices.
  public func position(row: Int, column: Int, in shape: MatrixShape) -> (byteOffset: Int, shift: Int) {
    precondition(!isSliced)
    let (tile, inTile) = tile(row: row, column: column, in: shape)
    let turn = inTile / turnColumns
    let element = inTile % turnColumns
    let turnByteCount = turnColumns * elementBits / 8
    let start = tile * tileByteCount + (turn * tileRows + row % tileRows) * turnByteCount
    guard elementBits == 4 else { return (start + element * elementBits / 8, 0) }
    switch nibbleOrder {
    case .pairs: return (start + element / 2, element % 2 * 4)
    case .halves: return (start + element % (turnColumns / 2), element / (turnColumns / 2) * 4)
    }
  }

  /// Copies whole rows between the plane and plain row-major order, one element at a time: the truth for every layout.
  /// - Parameters:
  ///   - plane: the whole plane, `planeByteCount(shape)` bytes.
  ///   - plain: `rowRange.count * columns` elements, row-major; 4-bit elements low nibble first, without gaps.
  ///   - toPlain: the direction.
  public func copy(
    rowRange: Range<Int>, shape: MatrixShape, plane: UnsafeMutableRawBufferPointer,
    plain: UnsafeMutableRawBufferPointer, toPlain: Bool
  ) {
    let width = elementBits / 8
    var element = 0
    for row in rowRange {
      for column in 0..<shape.columns {
        let (offset, shift) = position(row: row, column: column, in: shape)
        if elementBits == 4 {
          let plainShift = UInt8(element % 2 * 4)
          if toPlain {
            let nibble = plane[offset] >> UInt8(shift) & 15
            plain[element / 2] = plain[element / 2] & ~(15 << plainShift) | nibble << plainShift
          } else {
            let nibble = plain[element / 2] >> plainShift & 15
            plane[offset] = plane[offset] & ~(15 << UInt8(shift)) | nibble << UInt8(shift)
          }
        } else {
          for byte in 0..<width {
            if toPlain {
              plain[element * width + byte] = plane[offset + byte]
            } else {
              plane[offset + byte] = plain[element * width + byte]
            }
          }
        }
        element += 1
      }
    }
  }
}
