import CKernels
import Tensors

/// The blocked product of f32 activations with panels of 32 outputs.
///
/// Each call's sum starts at 0, is one chain of fused multiply-adds in ascending input order, and then is the output or added to it: the same
/// bits for any cut into rows and panels, and for any number of threads.
public enum PanelProduct {
  public static let columns = Int(CK_PANEL_COLUMNS)

  /// `c[m, n]` becomes `a[m, k] * panel[k, n]`, summed over k, or that more.
  /// - Parameters:
  ///   - a: `[rows, aStride]` f32, `depth` of each row used.
  ///   - panel: `[depth, 32]` f32.
  ///   - c: `[rows, cStride]` f32, `columns` (at most 32) of each row overwritten, or added to.
  public static func multiply(
    a: UnsafePointer<Float>, aStride: Int, rows: Int, panel: UnsafePointer<Float>, depth: Int,
    c: UnsafeMutablePointer<Float>, cStride: Int, columns: Int, adding: Bool
  ) {
    precondition(rows >= 0 && depth >= 0 && (0...Self.columns).contains(columns))
    ck_panel_product(a, aStride, rows, panel, depth, c, cStride, columns, adding ? 1 : 0)
  }

  /// Packs rows of a matrix, each an output: `panel[k, n] = b[n, k]`, widened to f32, 0 beyond `columns`.
  /// - Parameters:
  ///   - b: `[columns, stride]` of a castable dtype, `depth` of each row used.
  ///   - panel: `[depth, 32]` f32, overwritten.
  public static func packRows(
    _ b: UnsafeRawPointer, dtype: DType, stride: Int, columns: Int, depth: Int, panel: UnsafeMutablePointer<Float>
  ) {
    precondition(dtype.isCastable && (0...Self.columns).contains(columns) && depth >= 0)
    let kind = Int32(dtype == .bf16 ? CK_BF16 : dtype == .f16 ? CK_F16 : CK_F32)
    ck_pack_rows(panel, b, kind, stride, columns, depth)
  }

  /// Packs columns of a matrix, each an output: `panel[k, n] = b[k, n]`, 0 beyond `columns`.
  public static func packColumns(
    _ b: UnsafePointer<Float>, stride: Int, columns: Int, depth: Int, panel: UnsafeMutablePointer<Float>
  ) {
    precondition((0...Self.columns).contains(columns) && depth >= 0)
    ck_pack_columns(panel, b, stride, columns, depth)
  }
}

/// The product of one row of activations with a matrix, whose bytes set the pace.
public enum RowProduct {
  /// Adds the sum of `w[n, k] * x[k]` over k to `out[n]`.
  /// - Parameters:
  ///   - w: `[rows, stride]` of a castable dtype, `depth` of each row used.
  ///   - x: `[depth]`.
  ///   - out: `[rows]`.
  public static func multiplyAdd(
    _ w: UnsafeRawPointer, dtype: DType, stride: Int, rows: Int, x: UnsafePointer<Float>, depth: Int,
    out: UnsafeMutablePointer<Float>
  ) {
    precondition(dtype.isCastable && rows >= 0 && depth >= 0)
    let kind = Int32(dtype == .bf16 ? CK_BF16 : dtype == .f16 ? CK_F16 : CK_F32)
    ck_dot_rows(out, w, kind, stride, rows, x, depth)
  }
}

/// The blocked product with bf16 on both sides and f32 sums: twice as fast where the processor has such an instruction.
public enum PairProduct {
  /// Whether this machine has the instruction; else the product is right but slow.
  public static var isFast: Bool { InstructionSets.current.contains(.avx512BF16) }

  /// Whether it was measured to be clearly faster here than the product in f32: some processors have the instruction and are slower.
  public static let isWorthIt: Bool = {
    guard isFast, let rates = try? ProductRates(), let pairs = rates.pairs() else { return false }
    return pairs > 1.3 * rates.panels()
  }()

  /// `c[m, n]` becomes `a[m, k] * panel[k, n]`, summed over k, or that more.
  /// - Parameters:
  ///   - a: `[rows, aStride]` bf16, `depth` of each row used.
  ///   - panel: `[depth / 2, 32, 2]` bf16.
  ///   - depth: even.
  ///   - c: `[rows, cStride]` f32, `columns` (at most 32) of each row overwritten, or added to.
  public static func multiply(
    a: UnsafePointer<UInt16>, aStride: Int, rows: Int, panel: UnsafePointer<UInt16>, depth: Int,
    c: UnsafeMutablePointer<Float>, cStride: Int, columns: Int, adding: Bool
  ) {
    precondition(rows >= 0 && depth >= 0 && depth % 2 == 0 && (0...PanelProduct.columns).contains(columns))
    ck_pair_product(a, aStride, rows, panel, depth, c, cStride, columns, adding ? 1 : 0)
  }

  /// Packs rows of bf16, each an output; where the depth is odd, the last pair ends in 0.
  /// - Parameters:
  ///   - b: `[columns, stride]`, `depth` of each row used.
  ///   - panel: `[(depth + 1) / 2, 32, 2]`, overwritten.
  public static func packRows(
    _ b: UnsafePointer<UInt16>, stride: Int, columns: Int, depth: Int, panel: UnsafeMutablePointer<UInt16>
  ) {
    precondition((0...PanelProduct.columns).contains(columns) && depth >= 0)
    ck_pack_pairs(panel, b, stride, columns, depth)
  }

  /// One row of pairs, `[32, 2]` bf16, from two rows of 32 f32, narrowed.
  public static func pairRows(
    _ even: UnsafePointer<Float>, _ odd: UnsafePointer<Float>, into out: UnsafeMutablePointer<UInt16>
  ) { ck_pair_rows(out, even, odd, PanelProduct.columns) }
}
