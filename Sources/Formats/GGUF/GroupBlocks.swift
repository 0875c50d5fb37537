import Encodings
import Kernels
import Tensors

/// A matrix in groups of 32 as blocks of ggml: int4 as Q4_0, int8 as Q8_0.
///
/// Both sides mean f16 scale x whole number, the number from -8 to 7 or from -128 to 127. So nothing is rounded: the same codes and
/// scales lie in another order, and every value decodes to the same bits. Formats: formats/bantam.md, section 8; ggml,
/// `ggml-common.h`, `block_q4_0` and `block_q8_0`.
public struct GroupBlocks: Sendable {
  public let type: GGMLType
  private let bits: Int
  /// Where the code of each of a tile's 16 x 32 elements lies, row after row: byte in the tile, shift of its low bit.
  private let places: [(byte: Int, shift: UInt8)]

  /// Nil where blocks cannot have the groups of the matrix: where they are taken tap after tap, or rows do not fill whole blocks.
  /// - Parameter columns: the last dimension of the tensor, along which blocks lie.
  public init?(_ encoding: GroupEncoding, _ shape: EncodedShape, columns: Int) {
    guard shape.order == .source, columns > 0, columns.isMultiple(of: GroupTile.columns),
      shape.columns.isMultiple(of: columns)
    else { return nil }
    bits = encoding.bits
    type = bits == 4 ? .q4_0 : .q8_0
    let tile = MatrixShape(rows: GroupTile.rows, columns: GroupTile.columns)
    let layout = encoding.codeLayout(of: EncodedShape(tile, dtype: .f32))
    places = (0..<tile.rows * tile.columns).map { element in
      let place = layout.position(row: element / tile.columns, column: element % tile.columns, in: tile)
      return (place.byteOffset, UInt8(place.shift))
    }
  }

  /// Bytes of the blocks of one row.
  public func rowByteCount(columns: Int) -> Int { columns / GroupTile.columns * type.blockByteCount }

  /// Writes the blocks of a piece of a stripe.
  /// - Parameters:
  ///   - codes: whole tiles.
  ///   - scales: `[tiles, 16]` f16 bits.
  ///   - rows: 1 to 16.
  ///   - columns: a multiple of 32.
  ///   - out: `[rows, columns / 32]` blocks, overwritten.
  public func write(
    codes: UnsafeRawBufferPointer, scales: UnsafeRawBufferPointer, rows: Int, columns: Int,
    into out: UnsafeMutableRawBufferPointer
  ) {
    let groups = columns / GroupTile.columns
    let tileByteCount = GroupTile.codeByteCount(bits: bits)
    precondition(columns == groups * GroupTile.columns && (1...GroupTile.rows).contains(rows))
    precondition(codes.count >= groups * tileByteCount && scales.count >= groups * GroupTile.scaleByteCount)
    precondition(out.count >= rows * groups * type.blockByteCount)
    places.withUnsafeBufferPointer { places in
      for group in 0..<groups {
        let tile = UnsafeRawBufferPointer(rebasing: codes[(group * tileByteCount)...])
        for row in 0..<rows {
          let block = UnsafeMutableRawBufferPointer(
            rebasing: out[((row * groups + group) * type.blockByteCount)...])
          let scale = (group * GroupTile.rows + row) * 2
          (block[0], block[1]) = (scales[scale], scales[scale + 1])
          let first = row * GroupTile.columns
          if bits == 8 {
            // Codes are kept from 0 up; ggml's are signed.
            for column in 0..<32 { block[2 + column] = tile[places[first + column].byte] ^ 0x80 }
          } else {
            for column in 0..<16 {
              let (low, high) = (places[first + column], places[first + 16 + column])
              block[2 + column] = tile[low.byte] >> low.shift & 15 | (tile[high.byte] >> high.shift & 15) << 4
            }
          }
        }
      }
    }
  }
}
