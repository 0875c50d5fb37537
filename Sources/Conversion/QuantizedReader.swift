import Archive
import Kernels
import Quantization
import Tensors

/// Decodes a tensor of a `.bantam` file that is stored in a group encoding.
struct QuantizedReader {
  private let archive: Archive
  private let tensor: ArchiveIndex.Tensor
  let encoding: GroupEncoding
  let rows: Int
  let columns: Int

  /// Nil for a tensor in an encoding that is not a group encoding.
  /// - Throws: ``ArchiveError`` when the planes do not fit the encoding.
  init?(_ archive: Archive, _ number: Int) throws(ArchiveError) {
    tensor = archive.owner(of: number)
    let stored = archive.encoding(of: number)
    guard let encoding = GroupEncoding(name: stored.name), encoding.parameters == stored.parameters else { return nil }
    self.archive = archive
    self.encoding = encoding
    (rows, columns) = tensor.info.matrix
    guard tensor.planes.count == 2, tensor.planes[0].kind == .codes, tensor.planes[1].kind == .scales,
      tensor.info.dtype == .f32, let sizes = encoding.planeByteCounts(rows: rows, columns: columns)
    else { throw .planeMissing(path: archive.path, tensor: tensor.info.name) }
    for (plane, expected) in [(tensor.planes[0], sizes.codes), (tensor.planes[1], sizes.scales)] {
      guard plane.byteCount == expected else {
        throw .planeSize(path: archive.path, tensor: tensor.info.name, expected: expected, found: plane.byteCount)
      }
    }
    guard archive.index.layouts[tensor.planes[0].layout] == .tiled(encoding.codeLayout),
      archive.index.layouts[tensor.planes[1].layout] == .tiled(GroupEncoding.scaleLayout)
    else { throw .unknownLayout(path: archive.path, tensor: tensor.info.name) }
  }

  /// Columns that are decoded at once: a bound on memory for rows of any width.
  private static let columnLimit = 1 << 16

  /// Decodes rows of one stripe, a range of columns.
  /// - Parameters:
  ///   - firstColumn: a multiple of 32.
  ///   - out: `[rowCount, columnCount]` f32, row-major, overwritten.
  private func decode(
    stripe: Int, rowCount: Int, firstColumn: Int, columnCount: Int, into out: UnsafeMutableBufferPointer<Float>
  ) throws {
    let group = firstColumn / GroupKernels.groupColumns
    let codes = try AlignedBuffer(byteCount: encoding.stripeCodeByteCount(columns: columnCount))
    let scales = try AlignedBuffer(byteCount: encoding.stripeScaleByteCount(columns: columnCount))
    try archive.read(
      tensor.planes[0], of: tensor.info.name,
      at: stripe * encoding.stripeCodeByteCount(columns: columns) + group * 64 * encoding.bits, into: codes.bytes)
    try archive.read(
      tensor.planes[1], of: tensor.info.name,
      at: stripe * encoding.stripeScaleByteCount(columns: columns) + group * 32, into: scales.bytes)
    GroupKernels.decode(
      codes: UnsafeRawBufferPointer(codes.bytes), scales: UnsafeRawBufferPointer(scales.bytes), rows: rowCount,
      columns: columnCount, bits: encoding.bits, out: out, rowStride: columnCount)
  }

  /// Streams all values, row-major. Pieces are whole blocks of ``ValueStatistics`` where a stripe is.
  func stream(cancellation: Cancellation, _ body: (UnsafeRawBufferPointer) throws -> Void) throws {
    let piece = Resources.streamByteCount
    if columns > Self.columnLimit { return try streamWide(cancellation: cancellation, body) }
    let buffer = try AlignedBuffer(byteCount: 16 * columns * 4 + piece)
    var held = 0
    for stripe in 0..<encoding.stripeCount(rows: rows) {
      try cancellation.check()
      let rowCount = min(16, rows - stripe * 16)
      let target = UnsafeMutableRawBufferPointer(rebasing: buffer.bytes[held..<held + rowCount * columns * 4])
      try decode(
        stripe: stripe, rowCount: rowCount, firstColumn: 0, columnCount: columns,
        into: target.assumingMemoryBound(to: Float.self))
      held += target.count
      var done = 0
      while held - done >= piece {
        try body(UnsafeRawBufferPointer(rebasing: buffer.bytes[done..<done + piece]))
        done += piece
      }
      // What is left of a piece goes to the front.
      buffer.bytes.copyMemory(from: UnsafeRawBufferPointer(rebasing: buffer.bytes[done..<held]))
      held -= done
    }
    if held > 0 { try body(UnsafeRawBufferPointer(rebasing: buffer.bytes[..<held])) }
  }

  /// Row by row, in runs of columns, for rows that are too wide for a stripe in memory.
  private func streamWide(cancellation: Cancellation, _ body: (UnsafeRawBufferPointer) throws -> Void) throws {
    let buffer = try AlignedBuffer(byteCount: Self.columnLimit * 4)
    for row in 0..<rows {
      for first in stride(from: 0, to: columns, by: Self.columnLimit) {
        try cancellation.check()
        let part = UnsafeMutableRawBufferPointer(
          rebasing: buffer.bytes[..<(min(Self.columnLimit, columns - first) * 4)])
        try read(row: row, firstColumn: first, into: part.assumingMemoryBound(to: Float.self))
        try body(UnsafeRawBufferPointer(part))
      }
    }
  }

  /// Decodes a run of one row.
  private func read(row: Int, firstColumn: Int, into out: UnsafeMutableBufferPointer<Float>) throws {
    let from = firstColumn / 32 * 32
    let to = min(columns, firstColumn + out.count)
    let inStripe = row % 16
    let values = try AlignedBuffer(byteCount: (inStripe + 1) * (to - from) * 4)
    try decode(
      stripe: row / 16, rowCount: inStripe + 1, firstColumn: from, columnCount: to - from,
      into: values.bytes.assumingMemoryBound(to: Float.self))
    let start = (inStripe * (to - from) + firstColumn - from) * 4
    UnsafeMutableRawBufferPointer(out).copyMemory(
      from: UnsafeRawBufferPointer(rebasing: values.bytes[start..<start + out.count * 4]))
  }

  /// Reads f32 values as plain row-major bytes.
  func read(at offset: Int, into buffer: UnsafeMutableRawBufferPointer) throws {
    precondition(offset % 4 == 0 && buffer.count % 4 == 0, "quantized values are read in whole elements")
    let out = buffer.assumingMemoryBound(to: Float.self)
    var done = 0
    while done < out.count {
      let element = offset / 4 + done
      let (row, column) = (element / columns, element % columns)
      let count = min(columns - column, out.count - done, Self.columnLimit)
      try read(row: row, firstColumn: column, into: UnsafeMutableBufferPointer(rebasing: out[done..<done + count]))
      done += count
    }
  }
}
