import CKernels

/// The tile that the kernels of group encodings work on: 16 rows x 32 columns of codes, and a scale a row.
public enum GroupTile {
  public static let rows = Int(CK_TILE_ROWS)
  /// Columns of a group.
  public static let columns = Int(CK_TILE_COLUMNS)
  /// Bytes of the f16 scales of a tile.
  public static let scaleByteCount = rows * 2

  /// Bytes of the codes of a tile.
  public static func codeByteCount(bits: Int) -> Int { rows * columns * bits / 8 }

  /// Tiles along so many columns.
  public static func count(columns: Int) -> Int { (columns + Self.columns - 1) / Self.columns }
}
