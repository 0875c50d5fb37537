import Kernels
import Tensors

/// A matrix of weights as an encoding stores it.
///
/// Its columns have places: those of the source, or tap after tap. Encodings count in places; only what reads plain values
/// knows the source's order.
public struct EncodedShape: Sendable, Hashable {
  public let matrix: MatrixShape
  /// What decoding gives.
  public let dtype: DType
  public let order: TileLayout.ColumnOrder

  public init(_ matrix: MatrixShape, dtype: DType, order: TileLayout.ColumnOrder = .source) {
    self.matrix = matrix
    self.dtype = dtype
    self.order = order
  }

  /// Columns at the most of rows that somebody has to see as a whole.
  public static let wholeRowColumnLimit = 1 << 20

  public var rows: Int { matrix.rows }
  public var columns: Int { matrix.columns }
  /// Columns in which groups begin anew.
  public var segmentColumns: Int { order == .tapMajor ? matrix.channels : matrix.columns }
  public var segmentCount: Int { order == .tapMajor ? matrix.taps : 1 }

  /// Groups, or blocks, of `width` columns along a row.
  public func groupCount(width: Int) -> Int { segmentCount * ((segmentColumns + width - 1) / width) }

  /// The group that starts at a place.
  /// - Precondition: the place lies a multiple of `width` columns from the start of its segment.
  public func group(at place: Int, width: Int) -> Int {
    // Also where there is nothing but the end of an empty row.
    guard segmentColumns > 0 else { return 0 }
    let (segment, inSegment) = place.quotientAndRemainder(dividingBy: segmentColumns)
    return segment * ((segmentColumns + width - 1) / width) + inSegment / width
  }
}

/// Tiles of 16 rows x 32 columns, as the kernels of quantized weights read them.
extension EncodedShape {
  /// How codes lie in tiles: lines of 64 bytes, 16 rows x 4 columns at 8 bits, 16 x 8 at 4 bits; slices of such lines else. Nil where a
  /// layout cannot say it.
  func codeLayout(bits: Int) -> TileLayout? {
    TileLayout(
      elementBits: bits, tileRows: GroupTile.rows, tileColumns: GroupTile.columns, turnColumns: bits == 4 ? 8 : 4,
      nibbleOrder: bits == 4 ? .halves : .pairs, columnOrder: order,
      segmentColumns: order == .tapMajor ? segmentColumns : 0)
  }

  /// Tiles along a row.
  var tilesAcross: Int { groupCount(width: GroupTile.columns) }

  /// Where the tiles of a piece lie, of so many bytes each.
  func tileBytes(stripe: Int, columns: Range<Int>, byteCount: Int) -> Range<Int> {
    let first = stripe * tilesAcross + group(at: columns.lowerBound, width: GroupTile.columns)
    return first * byteCount..<(first + GroupTile.count(columns: columns.count)) * byteCount
  }
}

extension TileLayout.ColumnOrder {
  /// The order in which the columns of quantized kernels are written: tap after tap, so that products take a picture tap by tap.
  ///
  /// Kernels of 32 taps and more keep the source's order: their groups lie within one channel, which suits long kernels better (by
  /// 2 dB in torchcrepe's of 64 taps; kernels of 3 x 3 lose nothing). So do those whose taps have so few channels that the short
  /// last group, padded to 32, costs more than half as much again, and those whose rows are too wide to be turned in memory.
  static func preferred(for matrix: MatrixShape) -> Self {
    let (group, channels) = (32, matrix.channels)
    let padded = (channels + group - 1) / group * group
    return (2..<group).contains(matrix.taps) && channels >= group && 2 * padded <= 3 * channels
      && matrix.columns <= 1 << 16 ? .tapMajor : .source
  }
}
