import Kernels
import Tensors

/// Integers in groups of 32 columns with one f16 scale a group: value = scale x code.
///
/// The whole two's-complement range is used and the scale is signed, so that the element of largest magnitude can take the
/// longer end. Format: formats/bantam.md, section 8.
public struct GroupEncoding: Hashable, Sendable {
  /// 8 or 4.
  public let bits: Int

  public static let int8 = GroupEncoding(bits: 8)
  public static let int4 = GroupEncoding(bits: 4)
  public static let all = [int8, int4]

  /// `int8` or `int4`: how people name it.
  public var shortName: String { "int\(bits)" }
  /// `int8-g32` or `int4-g32`: how files name it.
  public var name: String { "int\(bits)-g32" }
  /// What files say beside the name.
  public var parameters: String {
    #"{"bits":\#(bits),"group":32,"offset":\#(1 << (bits - 1)),"scale":"F16"}"#
  }
  /// The algorithm, as files record it with the errors.
  public var method: String {
    "scale search with least-squares refit, " + (bits == 8 ? "9 trials" : "10 refitted trials")
  }

  /// The signal-to-noise ratio in dB below which a tensor has values that the encoding does not suit; real weights are far above.
  public var lowestDecibels: Double { bits == 8 ? 20 : 10 }

  public init?(shortName: String) {
    guard let found = Self.all.first(where: { $0.shortName == shortName }) else { return nil }
    self = found
  }

  public init?(name: String) {
    guard let found = Self.all.first(where: { $0.name == name }) else { return nil }
    self = found
  }

  private init(bits: Int) { self.bits = bits }

  /// Where codes lie: lines of 64 bytes, 16 rows x 4 columns at 8 bits, 16 x 8 at 4 bits.
  public var codeLayout: TileLayout {
    TileLayout(
      elementBits: bits, tileRows: 16, tileColumns: 32, turnColumns: bits == 8 ? 4 : 8,
      nibbleOrder: bits == 8 ? .pairs : .halves)!
  }

  /// Where scales lie: those of a tile's 16 rows side by side, tiles in the order of the codes.
  public static let scaleLayout = TileLayout(elementBits: 16, tileRows: 16, tileColumns: 1, turnColumns: 1)!

  /// Bytes of the codes of a stripe of 16 rows.
  public func stripeCodeByteCount(columns: Int) -> Int { GroupKernels.groupCount(columns: columns) * 64 * bits }
  /// Bytes of the scales of a stripe of 16 rows.
  public func stripeScaleByteCount(columns: Int) -> Int { GroupKernels.groupCount(columns: columns) * 32 }
  public func stripeCount(rows: Int) -> Int { (rows + 15) / 16 }

  /// Bytes of the planes, or nil where that overflows.
  public func planeByteCounts(rows: Int, columns: Int) -> (codes: Int, scales: Int)? {
    let groups = GroupKernels.groupCount(columns: columns)
    guard let codes = codeLayout.planeByteCount(rows: rows, columns: columns),
      let scales = Self.scaleLayout.planeByteCount(rows: rows, columns: groups)
    else { return nil }
    return (codes, scales)
  }

  /// Whether a tensor can be stored so: a matrix or more of real numbers, with elements.
  public static func canStore(_ info: TensorInfo) -> Bool {
    info.shape.count >= 2 && info.elementCount > 0 && info.dtype.isReal
  }
}
