/// How the elements of a matrix lie in a plane of bytes: parametric, reversible, and read by one scalar routine.
///
/// The matrix `[rows, columns]` is cut into tiles of `tileRows` x `tileColumns`. Tiles lie one after another along the
/// columns, then along the rows; edge tiles are padded with zero bits. Inside a tile come turns: a turn is
/// `turnColumns` consecutive columns of each of the tile's rows, row after row. Where scales lie beside their tile,
/// `tileScaleByteCount` bytes of them follow the tile's elements.
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

  public let elementBits: Int
  public let tileRows: Int
  public let tileColumns: Int
  public let turnColumns: Int
  public let nibbleOrder: NibbleOrder
  /// Bytes of scales that follow the elements of each tile; 0 where they have a plane of their own, or there are none.
  public let tileScaleByteCount: Int

  /// Fails for parameters that do not describe whole bytes, or are out of range.
  public init?(
    elementBits: Int, tileRows: Int, tileColumns: Int, turnColumns: Int, nibbleOrder: NibbleOrder = .pairs,
    tileScaleByteCount: Int = 0
  ) {
    guard [4, 8, 16, 32, 64].contains(elementBits), (1...4096).contains(tileRows), (1...4096).contains(tileColumns),
      (1...tileColumns).contains(turnColumns), tileColumns % turnColumns == 0, turnColumns * elementBits % 8 == 0,
      (0...65_535).contains(tileScaleByteCount)
    else { return nil }
    self.elementBits = elementBits
    self.tileRows = tileRows
    self.tileColumns = tileColumns
    self.turnColumns = turnColumns
    self.nibbleOrder = nibbleOrder
    self.tileScaleByteCount = tileScaleByteCount
  }

  /// Bytes of the elements of one tile.
  public var tileElementByteCount: Int { tileRows * tileColumns * elementBits / 8 }
  /// Bytes of one tile with the scales beside it.
  public var tileByteCount: Int { tileElementByteCount + tileScaleByteCount }

  public func tilesAcross(columns: Int) -> Int { (columns + tileColumns - 1) / tileColumns }
  public func tilesDown(rows: Int) -> Int { (rows + tileRows - 1) / tileRows }

  /// Bytes of the plane, or nil where that overflows.
  public func planeByteCount(rows: Int, columns: Int) -> Int? {
    let (tiles, overflow) = tilesAcross(columns: columns).multipliedReportingOverflow(by: tilesDown(rows: rows))
    let (bytes, tooLarge) = tiles.multipliedReportingOverflow(by: tileByteCount)
    return overflow || tooLarge ? nil : bytes
  }

  /// Where the tile that holds an element starts.
  public func tileOffset(row: Int, column: Int, columns: Int) -> Int {
    (row / tileRows * tilesAcross(columns: columns) + column / tileColumns) * tileByteCount
  }

  /// Where an element lies: byte offset in the plane, and the shift of its low bit in that byte (0 unless 4-bit).
  public func position(row: Int, column: Int, columns: Int) -> (byteOffset: Int, shift: Int) {
    let inTile = column % tileColumns
    let turn = inTile / turnColumns
    let element = inTile % turnColumns
    let turnByteCount = turnColumns * elementBits / 8
    let start =
      tileOffset(row: row, column: column, columns: columns) + (turn * tileRows + row % tileRows) * turnByteCount
    guard elementBits == 4 else { return (start + element * elementBits / 8, 0) }
    switch nibbleOrder {
    case .pairs: return (start + element / 2, element % 2 * 4)
    case .halves: return (start + element % (turnColumns / 2), element / (turnColumns / 2) * 4)
    }
  }

  /// Copies whole rows between the plane and plain row-major order, one element at a time: the truth for every layout.
  /// - Parameters:
  ///   - plane: the whole plane, `planeByteCount(rows:columns:)` bytes.
  ///   - plain: `rowRange.count * columns` elements, row-major; 4-bit elements low nibble first, without gaps.
  ///   - toPlain: the direction.
  public func copy(
    rowRange: Range<Int>, columns: Int, plane: UnsafeMutableRawBufferPointer, plain: UnsafeMutableRawBufferPointer,
    toPlain: Bool
  ) {
    let width = elementBits / 8
    var element = 0
    for row in rowRange {
      for column in 0..<columns {
        let (offset, shift) = position(row: row, column: column, columns: columns)
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
