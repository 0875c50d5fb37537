import CKernels

/// Activations of 8 bits in groups of 32: codes, a scale and the sums of the codes of each, of all and of the first half. Memory of the caller's.
public struct QuantizedGroups: @unchecked Sendable {
  // Unchecked: written before it is read, each group by one thread.
  let codes: UnsafeMutablePointer<Int8>
  let scales: UnsafeMutablePointer<Float>
  let sums: UnsafeMutablePointer<Int32>
  let halfSums: UnsafeMutablePointer<Int32>
  public let count: Int

  /// Bytes of a group.
  public static let byteCount = GroupTile.columns + 12

  /// - Parameter memory: `count * byteCount` bytes, aligned to four.
  public init(_ memory: UnsafeMutableRawPointer, count: Int) {
    self.count = count
    codes = memory.assumingMemoryBound(to: Int8.self)
    scales = (memory + count * GroupTile.columns).assumingMemoryBound(to: Float.self)
    sums = (memory + count * (GroupTile.columns + 4)).assumingMemoryBound(to: Int32.self)
    halfSums = (memory + count * (GroupTile.columns + 8)).assumingMemoryBound(to: Int32.self)
  }

  /// Quantizes rows that begin a group each; the last group of a row may be short.
  /// - Parameters:
  ///   - x: `[rowCount, columns]` f32, finite.
  ///   - first: the first row's first group.
  public func quantize(_ x: UnsafePointer<Float>, rowCount: Int, columns: Int, at first: Int) {
    precondition(first >= 0 && first + rowCount * GroupTile.count(columns: columns) <= count)
    ck_quantize_activations(
      x, rowCount, columns, codes + first * GroupTile.columns, scales + first, sums + first, halfSums + first)
  }
}

/// Rows of quantized activations: each is one run of groups, or several at the same distances, as a kernel's taps are.
public struct QuantizedRows: @unchecked Sendable {
  // Unchecked: the runs are read only.
  public let groups: QuantizedGroups
  /// The first row's first group.
  public let first: Int
  public let rowCount: Int
  /// Groups from row to row.
  public let stride: Int
  /// From a row's first group to the first of each run.
  public let runs: UnsafeBufferPointer<Int>
  /// Groups of a run.
  public let runGroups: Int

  public init(
    _ groups: QuantizedGroups, first: Int, rowCount: Int, stride: Int, runs: UnsafeBufferPointer<Int>, runGroups: Int
  ) {
    precondition(rowCount > 0 && first >= 0 && !runs.isEmpty && runs.allSatisfy { $0 >= 0 })
    precondition(first + (rowCount - 1) * stride + runs.max()! + runGroups <= groups.count)
    self.groups = groups
    self.first = first
    self.rowCount = rowCount
    self.stride = stride
    self.runs = runs
    self.runGroups = runGroups
  }

  /// A product of the rows, in which the weights' scales are still missing.
  func job(
    codes: UnsafePointer<UInt8>?, outputCount: Int, into output: UnsafeMutablePointer<Float>, stride: Int
  ) -> ck_matmul {
    var job = ck_matmul()
    job.codes = codes
    job.activations = UnsafePointer(groups.codes + first * GroupTile.columns)
    job.activation_scales = UnsafePointer(groups.scales + first)
    job.activation_sums = UnsafePointer(groups.sums + first)
    job.activation_half_sums = UnsafePointer(groups.halfSums + first)
    job.output = output
    job.row_count = rowCount
    job.row_stride = self.stride
    job.run_count = runs.count
    job.run_groups = runGroups
    job.run_offsets = runs.baseAddress
    job.output_count = outputCount
    job.output_stride = stride
    return job
  }
}

/// Products of 8-bit activations with weights in a group encoding, read where they lie.
public enum DotProduct {
  /// Whether this machine has vector instructions for them.
  public static var isFast: Bool { ck_active() != ck_table_at(0) }

  /// `output[m, n] = sum over k of rows[m, k] * weights[n, k]`.
  ///
  /// Products of codes are exact integers; groups are added up in f32, in order, by fused multiply-adds. Every instruction set gives
  /// the same bits.
  /// - Parameters:
  ///   - codes, scales: whole tiles of the outputs, as ``GroupKernels`` leaves them.
  ///   - output: `[rowCount, stride]` f32, `outputCount` of each row overwritten.
  public static func multiply(
    _ rows: QuantizedRows, codes: UnsafeRawBufferPointer, scales: UnsafeRawBufferPointer, bits: Int,
    outputCount: Int, into output: UnsafeMutablePointer<Float>, stride: Int
  ) {
    let tiles = (outputCount + GroupTile.rows - 1) / GroupTile.rows
    let groups = rows.runs.count * rows.runGroups
    precondition((bits == 8 || bits == 4) && stride >= outputCount)
    precondition(
      codes.count >= tiles * groups * GroupTile.codeByteCount(bits: bits)
        && scales.count >= tiles * groups * GroupTile.scaleByteCount)
    var job = rows.job(
      codes: codes.assumingMemoryBound(to: UInt8.self).baseAddress, outputCount: outputCount, into: output,
      stride: stride)
    job.scales = scales.assumingMemoryBound(to: UInt16.self).baseAddress
    job.bits = Int32(bits)
    ck_matmul_tiles(&job, 0, tiles)
  }
}
