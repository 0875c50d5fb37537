import CKernels

/// Normalizations of rows and channels, and the softmax of attention in blocks. Sums run in f64, in a fixed order.
public enum Norms {
  /// `x / sqrt(mean(x^2) + eps) * weight`, times `1 + scale` where it is given.
  /// - Parameters:
  ///   - out, x: `[rows, columns]`; may be the same.
  ///   - weight, scale: `[columns]`.
  public static func rms(
    out: UnsafeMutablePointer<Float>, _ x: UnsafePointer<Float>, weight: UnsafePointer<Float>,
    scale: UnsafePointer<Float>?, rows: Int, columns: Int, epsilon: Float
  ) { ck_rms_norm(out, x, weight, scale, rows, columns, epsilon) }

  /// `(x - mean) / sqrt(variance + eps) * weight + bias`, times `1 + scale` where it is given.
  /// - Parameters:
  ///   - out, x: `[rows, columns]`; may be the same.
  ///   - weight, bias: `[columns]`, both or neither.
  public static func layer(
    out: UnsafeMutablePointer<Float>, _ x: UnsafePointer<Float>, weight: UnsafePointer<Float>?,
    bias: UnsafePointer<Float>?, scale: UnsafePointer<Float>?, rows: Int, columns: Int, epsilon: Float
  ) {
    precondition((weight == nil) == (bias == nil))
    ck_layer_norm(out, x, weight, bias, scale, rows, columns, epsilon)
  }

  /// Adds the sum of each channel, and of its squares.
  /// - Parameter x: `[pixels, channels]`.
  public static func addChannelSums(
    of x: UnsafePointer<Float>, pixels: Int, channels: Int, sums: UnsafeMutablePointer<Double>,
    squares: UnsafeMutablePointer<Double>
  ) { ck_channel_sums(sums, squares, x, pixels, channels) }

  /// `x * scale + shift` by channel, then SiLU where asked for.
  /// - Parameter x: `[pixels, channels]`.
  public static func scaleShift(
    out: UnsafeMutablePointer<Float>, _ x: UnsafePointer<Float>, scale: UnsafePointer<Float>,
    shift: UnsafePointer<Float>, pixels: Int, channels: Int, thenSiLU: Bool
  ) { ck_scale_shift(out, x, scale, shift, pixels, channels, thenSiLU ? 1 : 0) }

  /// One block of keys of a softmax over many blocks: scores become `e^(scale * score - maximum)`.
  /// - Parameters:
  ///   - scores: `[rows, width]`; row m counts `lengths[m]` of them, the rest becomes 0.
  ///   - maxima, sums: `[rows]` of what came before, renewed; start with -infinity and 0.
  ///   - output: `[rows, outputStride]`, `outputColumns` of each row shrunk to the new maximum.
  public static func softmaxBlock(
    scores: UnsafeMutablePointer<Float>, rows: Int, lengths: UnsafePointer<Int>, width: Int, scale: Float,
    maxima: UnsafeMutablePointer<Float>, sums: UnsafeMutablePointer<Float>, output: UnsafeMutablePointer<Float>,
    outputStride: Int, outputColumns: Int
  ) {
    ck_softmax_block(
      scores, width, rows, lengths, width, scale, maxima, sums, output, outputStride, outputColumns)
  }

  /// One block of keys of a softmax over many blocks in 8 bits: powers become quantized activations, each group relative to its own
  /// largest.
  /// - Parameters:
  ///   - scores: `[rows, width]`.
  ///   - maxima, sums: `[rows]` of what came before, renewed; start with -infinity and 0. The sums are those of what was rounded; a NaN
  ///     among a row's scores becomes its sum.
  ///   - output: `[rows, outputColumns]`, shrunk to the new maximum.
  ///   - groups: from the first on, `GroupTile.count(columns: width)` a row; for products with weights of 8 bits.
  public static func softmaxBlock(
    scores: UnsafePointer<Float>, rows: Int, width: Int, scale: Float, maxima: UnsafeMutablePointer<Float>,
    sums: UnsafeMutablePointer<Float>, output: UnsafeMutablePointer<Float>, outputColumns: Int,
    roundedInto groups: QuantizedGroups
  ) {
    precondition(rows * GroupTile.count(columns: width) <= groups.count)
    ck_softmax_codes(
      scores, width, rows, width, scale, maxima, sums, output, outputColumns, outputColumns, groups.codes,
      groups.scales, groups.sums)
  }
}
