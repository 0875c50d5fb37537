import Archive
import Kernels
import Quantization
import Tensors

/// Buffers for a stripe of 16 rows.
struct StripeBuffers {
  /// Bytes of source values that are held at once.
  static let valueByteCount = 4 << 20
  /// All buffers of one thread: values, 8-bit codes and scales of as many 16-bit values.
  static let byteCount = valueByteCount + valueByteCount / 2 + valueByteCount / 16 + 16 * 1024

  let values: AlignedBuffer
  let codes: AlignedBuffer
  let scales: AlignedBuffer

  init() throws(FileError) {
    values = try AlignedBuffer(byteCount: Self.valueByteCount)
    codes = try AlignedBuffer(byteCount: Self.valueByteCount / 2 + 8192)
    scales = try AlignedBuffer(byteCount: Self.valueByteCount / 16 + 8192)
  }
}

/// Quantizes one tensor: stripes of 16 rows are read, hashed, measured, coded and written.
struct TensorQuantizer {
  let plan: ConversionPlan
  let item: Int
  let encoding: GroupEncoding

  private var source: ModelSource { plan.source }
  private var number: Int { plan.sourceNumbers[item] }
  private var info: TensorInfo { source.tensors[number].info }

  func run(_ writer: ArchiveWriter, _ stream: StreamBuffers) throws {
    let buffers = try StripeBuffers()
    let (codes, scales) = (writer.sink(tensor: item, plane: 0), writer.sink(tensor: item, plane: 1))
    let hash = SHA256()
    var statistics = ValueStatistics()
    var sums = ErrorSums()
    let (rows, columns) = info.matrix
    let width = info.dtype.bitWidth / 8
    // Values that the kernel does not read are widened to f32 first.
    let unit = info.dtype.isCastable ? width : max(width, 4)
    let wide = info.dtype.isCastable ? nil : try AlignedBuffer(byteCount: buffers.values.bytes.count)
    // A stripe that fits is read once. One that does not is hashed in a pass of its own, then read in runs of columns.
    let limit = buffers.values.bytes.count / (16 * unit) / 32 * 32
    if columns > limit {
      try source.stream(number, through: stream.source, cancellation: plan.resources.cancellation) {
        hash.update($0)
        statistics.add($0, dtype: info.dtype)
      }
    }
    for first in stride(from: 0, to: rows, by: 16) {
      let rowCount = min(16, rows - first)
      for column in stride(from: 0, to: columns, by: limit) {
        try plan.resources.cancellation.check()
        let columnCount = min(limit, columns - column)
        let values = UnsafeMutableRawBufferPointer(
          rebasing: buffers.values.bytes[..<(rowCount * columnCount * width)])
        try read(rows: first..<first + rowCount, column: column, columnCount: columnCount, into: values)
        if columns <= limit {
          hash.update(UnsafeRawBufferPointer(values))
          statistics.add(UnsafeRawBufferPointer(values), dtype: info.dtype)
        }
        var (numbers, dtype) = (UnsafeRawBufferPointer(values), info.dtype)
        if let wide, let base = values.baseAddress {
          let count = rowCount * columnCount
          let floats = wide.bytes.assumingMemoryBound(to: Float.self)
          ElementCast.widen(count: count, from: base, dtype, to: floats.baseAddress!)
          (numbers, dtype) = (UnsafeRawBufferPointer(rebasing: wide.bytes[..<(4 * count)]), .f32)
        }
        GroupKernels.quantize(
          numbers, dtype: dtype, rowStride: columnCount, rows: rowCount,
          columns: columnCount, bits: encoding.bits, codes: buffers.codes.bytes, scales: buffers.scales.bytes,
          sums: &sums)
        try codes.append(
          UnsafeRawBufferPointer(
            rebasing: buffers.codes.bytes[..<encoding.stripeCodeByteCount(columns: columnCount)]))
        try scales.append(
          UnsafeRawBufferPointer(
            rebasing: buffers.scales.bytes[..<encoding.stripeScaleByteCount(columns: columnCount)]))
        plan.resources.progress(values.count)
      }
    }
    let quality = ArchiveIndex.Quality(
      method: plan.archive.index.tensors[item].quality?.method ?? encoding.method, sqnrDecibels: sums.sqnrDecibels,
      maximumAbsoluteError: sums.largestError,
      cosine: sums.cosine)
    writer.record(
      tensor: item, planes: [codes, scales], sourceDigest: source.archive == nil ? hash.finish() : nil,
      statistics: .init(statistics), quality: quality)
  }

  /// Bytes that are asked for ahead of their use.
  private static let ahead = 16 << 20

  /// Reads a run of columns of some rows, row after row.
  private func read(
    rows: Range<Int>, column: Int, columnCount: Int, into values: UnsafeMutableRawBufferPointer
  ) throws {
    let (_, columns) = info.matrix
    let width = info.dtype.bitWidth / 8
    if columnCount == columns {
      let offset = rows.lowerBound * columns * width
      // Ask for the next run while this one is at work, and let go of the one before.
      if offset / Self.ahead != (offset + values.count) / Self.ahead || offset == 0 {
        let run = offset / Self.ahead * Self.ahead
        source.willNeed(number, offset: run, count: 2 * Self.ahead)
        if run > 0 { source.doneWith(number, offset: run - Self.ahead, count: Self.ahead) }
      }
      return try source.read(number, at: offset, into: values)
    }
    for (position, row) in rows.enumerated() {
      let part = position * columnCount * width
      try source.read(
        number, at: (row * columns + column) * width,
        into: UnsafeMutableRawBufferPointer(rebasing: values[part..<part + columnCount * width]))
    }
  }
}
