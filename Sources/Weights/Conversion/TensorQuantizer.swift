import BantamArchive
import Encodings
import Kernels
import ModelSources
import Quantization
import Tensors

/// How much of a tensor a quantizing thread holds at once: whole rows of a stripe, or a run of their columns.
struct StripeWindow {
  /// Bytes of values that are held where rows may be cut.
  private static let valueByteCount = 4 << 20

  /// Columns of a run, a whole number of groups; rows whose columns change their order are never cut.
  let columns: Int
  /// Bytes of the values of a run, as they are or widened.
  let valueByteCount: Int
  /// Whether values are widened, or their columns put in order: into a second buffer of the same size.
  let needsCopy: Bool
  /// Bytes of a run in each plane.
  let planeByteCounts: [Int]

  /// - Parameters:
  ///   - dtype: of the source.
  ///   - shape: as it is to be stored.
  init(dtype: DType, _ encoding: any Encoding, _ shape: EncodedShape) {
    let (height, grain) = encoding.grain
    // Values that no solver reads are widened to f32 first.
    let width = dtype.isCastable ? dtype.bitWidth / 8 : max(4, dtype.bitWidth / 8)
    let limit = Self.valueByteCount / (height * width) / grain * grain
    let isCut = shape.order == .source && encoding.solver?.needsWholeRows != true
    let columns = isCut ? min(limit, shape.columns) : shape.columns
    self.columns = columns
    valueByteCount = height * columns * width
    needsCopy = !dtype.isCastable || shape.order != .source
    planeByteCounts = (encoding.planes(of: shape) ?? []).indices.map {
      encoding.byteCount(plane: $0, of: shape, columns: columns)
    }
  }

  /// Bytes of all buffers of a thread.
  var byteCount: Int { (needsCopy ? 2 : 1) * valueByteCount + planeByteCounts.reduce(0, +) }
}

/// Quantizes one tensor: stripes of rows are read, hashed, measured, coded and written.
struct TensorQuantizer {
  let plan: ConversionPlan
  let item: Int
  let encoding: any Encoding
  let solver: any Solver
  let shape: EncodedShape

  init(plan: ConversionPlan, item: Int, encoding: any Encoding) {
    self.plan = plan
    self.item = item
    self.encoding = encoding
    guard let solver = encoding.solver, let shape = encoding.shape(forWriting: plan.archive.index.tensors[item].info)
    else { preconditionFailure("the plan gives a tensor only what can be written") }
    self.solver = solver
    self.shape = shape
  }

  private var source: ModelSource { plan.source }
  private var number: Int { plan.sourceNumbers[item] }
  private var info: TensorInfo { source.tensors[number].info }

  func run(_ writer: ArchiveWriter, _ stream: StreamBuffers) throws {
    let (rows, columns) = (shape.rows, shape.columns)
    let height = encoding.grain.rows
    let width = info.dtype.bitWidth / 8
    let window = StripeWindow(dtype: info.dtype, encoding, shape)
    let held = try AlignedBuffer(byteCount: window.valueByteCount)
    let other = try AlignedBuffer(byteCount: window.needsCopy ? window.valueByteCount : 0)
    let planes = plan.archive.index.tensors[item].planes.indices.map { writer.sink(tensor: item, plane: $0) }
    let buffers = try window.planeByteCounts.map { byteCount in try AlignedBuffer(byteCount: byteCount) }
    let limit = window.columns
    let hash = SHA256()
    var statistics = ValueStatistics()
    var sums = ErrorSums()
    // A stripe that fits is read once. One that does not is hashed in a pass of its own, then read in runs of columns.
    if columns > limit {
      try source.stream(number, through: stream.source, cancellation: plan.resources.cancellation) {
        hash.update($0)
        statistics.add($0, dtype: info.dtype)
      }
    }
    for first in stride(from: 0, to: rows, by: height) {
      let rowCount = min(height, rows - first)
      for column in stride(from: 0, to: columns, by: limit) {
        try plan.resources.cancellation.check()
        let columnCount = min(limit, columns - column)
        let values = UnsafeMutableRawBufferPointer(rebasing: held.bytes[..<(rowCount * columnCount * width)])
        try read(rows: first..<first + rowCount, column: column, columnCount: columnCount, into: values)
        if columns <= limit {
          hash.update(UnsafeRawBufferPointer(values))
          statistics.add(UnsafeRawBufferPointer(values), dtype: info.dtype)
        }
        var (numbers, dtype, free) = (UnsafeRawBufferPointer(values), info.dtype, other.bytes)
        if !info.dtype.isCastable, let base = values.baseAddress {
          let count = rowCount * columnCount
          let floats = other.bytes.assumingMemoryBound(to: Float.self)
          ElementCast.widen(count: count, from: base, dtype, to: floats.baseAddress!)
          (numbers, dtype, free) = (UnsafeRawBufferPointer(rebasing: other.bytes[..<(4 * count)]), .f32, held.bytes)
        }
        numbers = ordered(numbers, rows: rowCount, width: dtype.bitWidth / 8, into: free)
        try encode(numbers, dtype: dtype, rows: rowCount, columns: columnCount, planes, buffers, &sums)
        plan.resources.progress(values.count)
      }
    }
    let quality = ArchiveIndex.Quality(
      method: plan.archive.index.tensors[item].quality?.method ?? solver.method, sqnrDecibels: sums.sqnrDecibels,
      maximumAbsoluteError: sums.largestError,
      cosine: sums.cosine)
    writer.record(
      tensor: item, planes: planes, sourceDigest: source.archive == nil ? hash.finish() : nil,
      statistics: .init(statistics), quality: quality)
  }

  /// Encodes a run of columns of a stripe, and appends it to the planes.
  private func encode(
    _ values: UnsafeRawBufferPointer, dtype: DType, rows: Int, columns: Int, _ planes: [PlaneSink],
    _ buffers: [AlignedBuffer], _ sums: inout ErrorSums
  ) throws {
    let piece = planes.indices.map { plane in
      UnsafeMutableRawBufferPointer(
        rebasing: buffers[plane].bytes[..<encoding.byteCount(plane: plane, of: shape, columns: columns)])
    }
    solver.encode(
      values, dtype: dtype, rowStride: columns, rows: rows, columns: columns,
      segmentColumns: min(columns, shape.segmentColumns), into: piece, sums: &sums)
    for (sink, bytes) in zip(planes, piece) { try sink.append(UnsafeRawBufferPointer(bytes)) }
  }

  /// Whole rows in the order in which the encoding takes their columns.
  private func ordered(
    _ values: UnsafeRawBufferPointer, rows: Int, width: Int, into out: UnsafeMutableRawBufferPointer
  ) -> UnsafeRawBufferPointer {
    guard shape.order == .tapMajor else { return values }
    if width == 2 {
      order(values.assumingMemoryBound(to: UInt16.self), rows, into: out.assumingMemoryBound(to: UInt16.self))
    } else {
      order(values.assumingMemoryBound(to: UInt32.self), rows, into: out.assumingMemoryBound(to: UInt32.self))
    }
    return UnsafeRawBufferPointer(rebasing: out[..<values.count])
  }

  private func order<Element>(
    _ values: UnsafeBufferPointer<Element>, _ rows: Int, into out: UnsafeMutableBufferPointer<Element>
  ) {
    let (taps, channels) = (shape.matrix.taps, shape.matrix.channels)
    for row in stride(from: 0, to: rows * shape.columns, by: shape.columns) {
      for tap in 0..<taps {
        for channel in 0..<channels { out[row + tap * channels + channel] = values[row + channel * taps + tap] }
      }
    }
  }

  /// Bytes that are asked for ahead of their use.
  private static let ahead = 16 << 20

  /// Reads a run of columns of some rows, row after row.
  private func read(
    rows: Range<Int>, column: Int, columnCount: Int, into values: UnsafeMutableRawBufferPointer
  ) throws {
    let columns = shape.columns
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
