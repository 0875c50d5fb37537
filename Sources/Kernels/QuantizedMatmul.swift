import CKernels
import Tensors

/// Activations quantized to 8 bits in groups of 32 columns, with a scale and a sum a group.
public final class QuantizedActivations {
  public let rowCount: Int
  public let groupCount: Int
  fileprivate let codes: AlignedBuffer
  fileprivate let scales: AlignedBuffer
  fileprivate let sums: AlignedBuffer

  /// - Parameters:
  ///   - values: `[rowCount, columns]` f32, row-major, finite.
  /// - Throws: ``FileError/outOfMemory(byteCount:)``.
  public init(_ values: UnsafeBufferPointer<Float>, rowCount: Int, columns: Int) throws(FileError) {
    precondition(rowCount > 0 && columns > 0 && values.count >= rowCount * columns)
    self.rowCount = rowCount
    groupCount = GroupTile.count(columns: columns)
    codes = try AlignedBuffer(byteCount: rowCount * groupCount * GroupTile.columns)
    scales = try AlignedBuffer(byteCount: rowCount * groupCount * 4)
    sums = try AlignedBuffer(byteCount: rowCount * groupCount * 4)
    ck_quantize_activations(
      values.baseAddress, rowCount, columns, codes.bytes.assumingMemoryBound(to: Int8.self).baseAddress,
      scales.bytes.assumingMemoryBound(to: Float.self).baseAddress,
      sums.bytes.assumingMemoryBound(to: Int32.self).baseAddress)
  }
}

/// Products with weights in a group encoding, read where they lie in the mapped file.
public enum QuantizedMatmul {
  /// `output[m, n] = sum over k of activations[m, k] * weights[n, k]`.
  ///
  /// Products of codes are exact integers; groups are added up in f32, in order, by fused multiply-adds. Every path gives
  /// the same bits.
  /// - Parameters:
  ///   - codes, scales: the planes of an encoding of `bits` bits, `[outputCount, 32 * groupCount]`.
  ///   - output: `[rowCount, outputCount]` f32, overwritten.
  ///   - threadCount: threads that share the tiles.
  public static func multiply(
    _ activations: QuantizedActivations, codes: UnsafeRawBufferPointer, scales: UnsafeRawBufferPointer, bits: Int,
    outputCount: Int, output: UnsafeMutableBufferPointer<Float>, threadCount: Int = 1
  ) {
    let groups = activations.groupCount
    let tileCount = (outputCount + GroupTile.rows - 1) / GroupTile.rows
    precondition(bits == 8 || bits == 4)
    precondition(
      codes.count >= tileCount * groups * GroupTile.codeByteCount(bits: bits)
        && scales.count >= tileCount * groups * GroupTile.scaleByteCount)
    precondition(output.count >= activations.rowCount * outputCount)
    let job = ck_matmul(
      codes: codes.assumingMemoryBound(to: UInt8.self).baseAddress,
      scales: scales.assumingMemoryBound(to: UInt16.self).baseAddress,
      activations: activations.codes.bytes.assumingMemoryBound(to: Int8.self).baseAddress,
      activation_scales: activations.scales.bytes.assumingMemoryBound(to: Float.self).baseAddress,
      activation_sums: activations.sums.bytes.assumingMemoryBound(to: Int32.self).baseAddress,
      output: output.baseAddress, row_count: activations.rowCount, group_count: groups, output_count: outputCount,
      output_stride: outputCount, bits: Int32(bits))
    guard threadCount > 1 else {
      withUnsafePointer(to: job) { ck_matmul_tiles($0, 0, tileCount) }
      return
    }
    // Whole runs of four tiles, which one row reads side by side. The parts write to different outputs.
    let runs = (tileCount + 3) / 4
    nonisolated(unsafe) let shared = job
    Workers.share(partCount: threadCount) { part in
      let first = runs * part / threadCount * 4
      let last = min(tileCount, runs * (part + 1) / threadCount * 4)
      if first < last { withUnsafePointer(to: shared) { ck_matmul_tiles($0, first, last) } }
    }
  }
}
