import Encodings
import InputStatistics
import Kernels
import ModelSources
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
  ///   - needsWholeRows: whether somebody beside the solver does.
  init(dtype: DType, _ encoding: any Encoding, _ shape: EncodedShape, needsWholeRows: Bool) {
    let (height, grain) = encoding.grain
    // Values that no solver reads are widened to f32 first.
    let width = dtype.isCastable ? dtype.bitWidth / 8 : max(4, dtype.bitWidth / 8)
    let limit = Self.valueByteCount / (height * width) / grain * grain
    let isCut = shape.order == .source && encoding.solver?.needsWholeRows != true && !needsWholeRows
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

/// Encodes one tensor of a source: stripes of rows are read, hashed, measured, coded and handed on.
struct TensorEncoder {
  let source: ModelSource
  /// Index into the source's tensors.
  let number: Int
  let encoding: any Encoding
  let shape: EncodedShape
  let resources: Resources
  private let solver: any Solver
  private let guide: ColumnGuide?
  private let meter: OutputMeter?

  /// What became of the tensor.
  struct Result {
    var digest = Digest([UInt8](repeating: 0, count: 32))
    var statistics = ValueStatistics()
    var errors = ErrorSums()
    var outputs = OutputMeter.Sums()
  }

  /// - Parameters:
  ///   - encoding: one that values can be quantized to, and that takes this tensor.
  ///   - guide: what data says of the columns.
  ///   - meter: where errors of the outputs are wanted.
  init(
    _ source: ModelSource, _ number: Int, _ encoding: any Encoding, guide: ColumnGuide? = nil,
    meter: OutputMeter? = nil, resources: Resources
  ) {
    guard let solver = encoding.solver, let shape = encoding.shape(forWriting: source.tensors[number].info) else {
      preconditionFailure("only tensors that can be written so are encoded")
    }
    self.source = source
    self.number = number
    self.encoding = encoding
    self.solver = solver
    self.shape = shape
    self.guide = guide
    self.meter = meter
    self.resources = resources
  }

  private var info: TensorInfo { source.tensors[number].info }

  /// - Parameters:
  ///   - stream: buffers for a tensor that is too wide to be read once; nil: it is not hashed then.
  ///   - step: 1, or more to take the first of so many stripes alone.
  ///   - sink: takes a piece of each plane.
  func run(
    _ stream: StreamBuffers?, everyStripe step: Int = 1, sink: ([UnsafeRawBufferPointer]) throws -> Void
  ) throws -> Result {
    let (rows, columns) = (shape.rows, shape.columns)
    let height = encoding.grain.rows
    let width = info.dtype.bitWidth / 8
    let window = StripeWindow(dtype: info.dtype, encoding, shape, needsWholeRows: guide != nil || meter != nil)
    let held = try AlignedBuffer(byteCount: window.valueByteCount)
    let other = try AlignedBuffer(byteCount: window.needsCopy ? window.valueByteCount : 0)
    let buffers = try window.planeByteCounts.map { byteCount in try AlignedBuffer(byteCount: byteCount) }
    let outputs = try meter.map { try StripeOutputs($0, encoding, shape) }
    let limit = window.columns
    let hash = SHA256()
    var result = Result()
    // A stripe that fits is read once. One that does not is hashed in a pass of its own, then read in runs of columns.
    if columns > limit, let stream {
      try source.stream(number, through: stream.source, cancellation: resources.cancellation) {
        hash.update($0)
        result.statistics.add($0, dtype: info.dtype)
      }
    }
    for first in stride(from: 0, to: rows, by: height * step) {
      let rowCount = min(height, rows - first)
      for column in stride(from: 0, to: columns, by: limit) {
        try resources.cancellation.check()
        let columnCount = min(limit, columns - column)
        let values = UnsafeMutableRawBufferPointer(rebasing: held.bytes[..<(rowCount * columnCount * width)])
        try read(rows: first..<first + rowCount, column: column, columnCount: columnCount, into: values)
        if columns <= limit {
          hash.update(UnsafeRawBufferPointer(values))
          result.statistics.add(UnsafeRawBufferPointer(values), dtype: info.dtype)
        }
        var (numbers, dtype, free) = (UnsafeRawBufferPointer(values), info.dtype, other.bytes)
        if !info.dtype.isCastable, let base = values.baseAddress {
          let count = rowCount * columnCount
          let floats = other.bytes.assumingMemoryBound(to: Float.self)
          ElementCast.widen(count: count, from: base, dtype, to: floats.baseAddress!)
          (numbers, dtype, free) = (UnsafeRawBufferPointer(rebasing: other.bytes[..<(4 * count)]), .f32, held.bytes)
        }
        numbers = ordered(numbers, rows: rowCount, width: dtype.bitWidth / 8, into: free)
        let pieces = planeRanges(columnCount, buffers)
        solver.encode(
          numbers, dtype: dtype, rowStride: columnCount, rows: rowCount, columns: columnCount,
          segmentColumns: min(columnCount, shape.segmentColumns), guide: guide, into: pieces, sums: &result.errors)
        let coded = pieces.map { UnsafeRawBufferPointer($0) }
        outputs?.add(numbers, dtype: dtype, rows: rowCount, coded, to: &result.outputs)
        try sink(coded)
        resources.progress(values.count)
      }
    }
    result.digest = hash.finish()
    return result
  }

  private func planeRanges(_ columns: Int, _ buffers: [AlignedBuffer]) -> [UnsafeMutableRawBufferPointer] {
    buffers.enumerated().map { plane, buffer in
      UnsafeMutableRawBufferPointer(
        rebasing: buffer.bytes[..<encoding.byteCount(plane: plane, of: shape, columns: columns)])
    }
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

/// Errors of the outputs of one stripe after another.
private struct StripeOutputs {
  private let meter: OutputMeter
  private let encoding: any Encoding
  private let shape: EncodedShape
  private let values: AlignedBuffer
  private let decoded: AlignedBuffer

  init(_ meter: OutputMeter, _ encoding: any Encoding, _ shape: EncodedShape) throws(FileError) {
    self.meter = meter
    self.encoding = encoding
    self.shape = shape
    values = try AlignedBuffer(byteCount: 4 * encoding.grain.rows * shape.columns)
    decoded = try AlignedBuffer(byteCount: 4 * encoding.grain.rows * shape.columns)
  }

  /// - Parameter coded: whole rows of each plane.
  func add(
    _ numbers: UnsafeRawBufferPointer, dtype: DType, rows: Int, _ coded: [UnsafeRawBufferPointer],
    to sums: inout OutputMeter.Sums
  ) {
    let (exact, found) = (
      values.bytes.assumingMemoryBound(to: Float.self).baseAddress!,
      decoded.bytes.assumingMemoryBound(to: Float.self).baseAddress!
    )
    ElementCast.widen(count: rows * shape.columns, from: numbers.baseAddress!, dtype, to: exact)
    for first in stride(from: 0, to: shape.columns, by: shape.segmentColumns) {
      let columns = first..<first + shape.segmentColumns
      var piece = PlaneBytes(coded)
      for plane in 0..<piece.count {
        let range = encoding.byteRange(plane: plane, of: shape, stripe: 0, columns: columns)
        piece[plane] = UnsafeRawBufferPointer(rebasing: piece[plane][range])
      }
      encoding.decode(
        piece, dtype: .f32, rows: rows, columns: columns.count, into: found + first, stride: shape.columns)
    }
    meter.add(exact, found, rows: rows, to: &sums)
  }
}
