import CKernels
import Glibc
import Tensors

/// Sums that tell what an encoding lost, over elements.
public struct ErrorSums: Sendable, Equatable {
  public package(set) var sourceSquare = 0.0
  public package(set) var codedSquare = 0.0
  public package(set) var product = 0.0
  public package(set) var errorSquare = 0.0
  public package(set) var largestError = 0.0

  public init() {}

  /// Signal-to-noise ratio in dB; infinite where nothing was lost.
  public var sqnrDecibels: Double { decibels(sourceSquare, over: errorSquare) }
  /// Cosine between source and decoded values; 1 where both are zero.
  public var cosine: Double { cosineOf(product, sourceSquare, codedSquare) }

  /// Calls a kernel that adds to the sums.
  mutating func add(_ kernel: (inout ck_error_sums) -> Void) {
    var found = ck_error_sums(
      source_square: sourceSquare, coded_square: codedSquare, product: product, error_square: errorSquare,
      largest_error: largestError)
    kernel(&found)
    sourceSquare = found.source_square
    codedSquare = found.coded_square
    product = found.product
    errorSquare = found.error_square
    largestError = found.largest_error
  }
}

extension DType {
  /// The number of a castable dtype in the kernels.
  var kernelNumber: Int32 { Int32(self == .bf16 ? CK_BF16 : self == .f16 ? CK_F16 : CK_F32) }
}

/// Quantizing and decoding stripes of up to 16 rows, in groups of 32 columns. Format: formats/bantam.md, section 8.
public enum GroupKernels {
  /// Quantizes a stripe.
  /// - Parameters:
  ///   - values: `[rows, rowStride]` of `dtype` (f32, f16 or bf16), aligned to its elements; `columns` of each row count.
  ///   - bits: 8 or 4.
  ///   - codes: whole tiles, overwritten.
  ///   - scales: `[tiles, 16]` f16 bits, overwritten.
  ///   - sums: added to.
  /// - Precondition: the buffers are large enough, `rows` is 1 to 16.
  public static func quantize(
    _ values: UnsafeRawBufferPointer, dtype: DType, rowStride: Int, rows: Int, columns: Int, bits: Int,
    codes: UnsafeMutableRawBufferPointer, scales: UnsafeMutableRawBufferPointer, sums: inout ErrorSums
  ) {
    let tiles = GroupTile.count(columns: columns)
    precondition(dtype.isCastable && (bits == 8 || bits == 4) && (1...GroupTile.rows).contains(rows))
    precondition(values.count >= ((rows - 1) * rowStride + columns) * dtype.bitWidth / 8)
    precondition(
      codes.count >= tiles * GroupTile.codeByteCount(bits: bits) && scales.count >= tiles * GroupTile.scaleByteCount)
    sums.add { found in
      ck_quantize_stripe(
        values.baseAddress, dtype.kernelNumber, rowStride, rows, columns, Int32(bits),
        codes.assumingMemoryBound(to: UInt8.self).baseAddress,
        scales.assumingMemoryBound(to: UInt16.self).baseAddress, &found)
    }
  }

  /// Decodes a stripe to f32.
  /// - Parameters:
  ///   - codes: whole tiles.
  ///   - scales: `[tiles, 16]` f16 bits.
  ///   - out: `[rows, rowStride]`, `columns` of each row overwritten.
  public static func decode(
    codes: UnsafeRawBufferPointer, scales: UnsafeRawBufferPointer, rows: Int, columns: Int, bits: Int,
    out: UnsafeMutableBufferPointer<Float>, rowStride: Int
  ) {
    let tiles = GroupTile.count(columns: columns)
    precondition((bits == 8 || bits == 4) && (1...GroupTile.rows).contains(rows))
    precondition(
      codes.count >= tiles * GroupTile.codeByteCount(bits: bits) && scales.count >= tiles * GroupTile.scaleByteCount)
    precondition(out.count >= (rows - 1) * rowStride + columns)
    ck_decode_stripe(
      codes.assumingMemoryBound(to: UInt8.self).baseAddress, scales.assumingMemoryBound(to: UInt16.self).baseAddress,
      rows, columns, Int32(bits), out.baseAddress, rowStride)
  }

  /// Decodes a stripe into one half of a panel for ``PanelProduct``: the columns of a tile lie as a panel wants them.
  /// - Parameters:
  ///   - codes, scales: as for ``decode(codes:scales:rows:columns:bits:out:rowStride:)``.
  ///   - panel: `[columns, 32]`, of which 16 of each column are overwritten.
  public static func decodePanel(
    codes: UnsafeRawBufferPointer, scales: UnsafeRawBufferPointer, columns: Int, bits: Int,
    panel: UnsafeMutablePointer<Float>
  ) {
    let tiles = GroupTile.count(columns: columns)
    precondition(bits == 8 || bits == 4)
    precondition(
      codes.count >= tiles * GroupTile.codeByteCount(bits: bits) && scales.count >= tiles * GroupTile.scaleByteCount)
    ck_decode_panel(
      codes.assumingMemoryBound(to: UInt8.self).baseAddress, scales.assumingMemoryBound(to: UInt16.self).baseAddress,
      columns, Int32(bits), panel)
  }

  /// Adds the products of one row of exact activations to `out`, the codes read where they lie.
  /// - Parameters:
  ///   - codes, scales: whole tiles of the outputs.
  ///   - x: `[columns]`.
  ///   - out: `[outputCount]`.
  public static func multiplyRow(
    codes: UnsafeRawBufferPointer, scales: UnsafeRawBufferPointer, bits: Int, x: UnsafePointer<Float>, columns: Int,
    out: UnsafeMutablePointer<Float>, outputCount: Int
  ) {
    let tiles = GroupTile.count(columns: columns) * ((outputCount + GroupTile.rows - 1) / GroupTile.rows)
    precondition(bits == 8 || bits == 4)
    precondition(
      codes.count >= tiles * GroupTile.codeByteCount(bits: bits) && scales.count >= tiles * GroupTile.scaleByteCount)
    ck_multiply_row(
      codes.assumingMemoryBound(to: UInt8.self).baseAddress, scales.assumingMemoryBound(to: UInt16.self).baseAddress,
      Int32(bits), x, columns, out, outputCount)
  }
}

/// `10 log10(signal / noise)`, +infinity without noise.
public func decibels(_ signal: Double, over noise: Double) -> Double {
  if noise == 0 { return .infinity }
  return 10 * log10(signal / noise)
}

func cosineOf(_ product: Double, _ a: Double, _ b: Double) -> Double {
  if a == 0 && b == 0 { return 1 }
  return a == 0 || b == 0 ? 0 : product / (a.squareRoot() * b.squareRoot())
}
