import Tensors

/// Where the planes of a tensor are read from.
public protocol PlaneSource: Sendable {
  /// Fills `buffer` with the bytes of a plane from `offset` on.
  func read(plane: Int, at offset: Int, into buffer: UnsafeMutableRawBufferPointer) throws
}

/// A tensor in one of the encodings, read piece by piece: memory does not grow with it.
public struct EncodedTensor: StoredTensor {
  public let info: TensorInfo
  public let encoding: any Encoding
  public let shape: EncodedShape
  public let planes: [PlaneShape]
  private let source: any PlaneSource
  /// The shape that values are read by: where rows are whole blocks, one after another, all of them are one run.
  private let reading: EncodedShape

  /// - Throws: ``PlaneProblem`` where the planes are not those of the encoding.
  public init(
    _ info: TensorInfo, _ encoding: any Encoding, planes: [PlaneShape], source: any PlaneSource
  ) throws(PlaneProblem) {
    self.info = info
    self.encoding = encoding
    self.planes = planes
    self.source = source
    shape = try encoding.shape(of: info, planes: planes)
    let (rows, columns) = encoding.grain
    reading =
      rows == 1 && shape.columns % columns == 0
      ? EncodedShape(MatrixShape(rows: 1, columns: shape.rows * shape.columns), dtype: shape.dtype) : shape
  }

  public var encodingName: String { encoding.name }
  public var isLossy: Bool { encoding.isLossy }
  public var storedByteCount: Int { planes.reduce(0) { $0 + $1.byteCount } }

  /// Whether products can read the planes as they lie; else the values are copied first.
  public var isReadyToRun: Bool {
    shape.matrix == info.matrix && encoding.planes(of: shape).map { $0 == planes } ?? false
  }

  /// Columns that are decoded at once: a bound on memory for rows of any width.
  private static let columnLimit = 1 << 16

  public func read(at offset: Int, into buffer: UnsafeMutableRawBufferPointer) throws {
    if planes[0].kind == .values {
      guard case .tiled(let tile) = planes[0].layout else {
        return try source.read(plane: 0, at: offset, into: buffer)
      }
      return try readTiles(tile, at: offset, into: buffer)
    }
    precondition(offset % 4 == 0 && buffer.count % 4 == 0, "decoded values are read in whole elements")
    let out = buffer.assumingMemoryBound(to: Float.self)
    var done = 0
    while done < out.count {
      let (row, column) = (offset / 4 + done).quotientAndRemainder(dividingBy: reading.columns)
      let count = min(reading.columns - column, out.count - done, Self.columnLimit)
      try readRow(row, column..<column + count, into: out.baseAddress! + done)
      done += count
    }
  }

  /// Fills `buffer` with the bytes of a plane as they are stored, from `offset` on.
  public func read(plane: Int, at offset: Int, into buffer: UnsafeMutableRawBufferPointer) throws {
    try source.read(plane: plane, at: offset, into: buffer)
  }

  /// Streams all plain bytes, row-major, in pieces of `pieceByteCount`, save the last.
  public func stream(
    pieceByteCount piece: Int, cancellation: Cancellation, _ body: (UnsafeRawBufferPointer) throws -> Void
  ) throws {
    let height = encoding.grain.rows
    guard height > 1, reading.columns <= Self.columnLimit else {
      let buffer = try AlignedBuffer(byteCount: piece)
      for offset in stride(from: 0, to: info.byteCount, by: piece) {
        try cancellation.check()
        let part = UnsafeMutableRawBufferPointer(rebasing: buffer.bytes[..<min(piece, info.byteCount - offset)])
        try read(at: offset, into: part)
        try body(UnsafeRawBufferPointer(part))
      }
      return
    }
    // A stripe is decoded once, and handed out in pieces.
    let buffer = try AlignedBuffer(byteCount: height * reading.columns * 4 + piece)
    var held = 0
    for first in stride(from: 0, to: reading.rows, by: height) {
      try cancellation.check()
      let rowCount = min(height, reading.rows - first)
      let target = UnsafeMutableRawBufferPointer(rebasing: buffer.bytes[held..<held + rowCount * reading.columns * 4])
      try decode(
        stripe: first / height, rowCount: rowCount, columns: 0..<reading.columns,
        into: target.assumingMemoryBound(to: Float.self).baseAddress!)
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

  /// Columns of the source that begin and end where a piece may, around a run of them.
  private func whole(_ columns: Range<Int>) -> Range<Int> {
    let (grain, taps) = (encoding.grain.columns, reading.order == .tapMajor ? reading.matrix.taps : 1)
    let first = columns.lowerBound / taps / grain * grain
    let last = (columns.upperBound + taps - 1) / taps
    return first * taps..<last * taps
  }

  /// A run of one row.
  private func readRow(_ row: Int, _ columns: Range<Int>, into out: UnsafeMutablePointer<Float>) throws {
    let (stripe, inStripe) = row.quotientAndRemainder(dividingBy: encoding.grain.rows)
    let taken = whole(columns)
    if inStripe == 0, taken == columns { return try decode(stripe: stripe, rowCount: 1, columns: columns, into: out) }
    let values = try AlignedBuffer(byteCount: (inStripe + 1) * taken.count * 4)
    try withExtendedLifetime(values) {
      let floats = values.bytes.assumingMemoryBound(to: Float.self).baseAddress!
      try decode(stripe: stripe, rowCount: inStripe + 1, columns: taken, into: floats)
      out.update(
        from: floats + inStripe * taken.count + columns.lowerBound - taken.lowerBound, count: columns.count)
    }
  }

  /// Decodes the first rows of a stripe.
  /// - Parameters:
  ///   - columns: of the source, as ``whole(_:)`` gives them.
  ///   - out: `[rowCount, columns]`, overwritten.
  private func decode(
    stripe: Int, rowCount: Int, columns: Range<Int>, into out: UnsafeMutablePointer<Float>
  ) throws {
    guard reading.order == .tapMajor else {
      return try decode(stripe: stripe, rowCount: rowCount, places: columns, into: out)
    }
    let (taps, channels) = (reading.matrix.taps, reading.matrix.channels)
    let taken = columns.lowerBound / taps..<columns.upperBound / taps
    let values = try AlignedBuffer(byteCount: rowCount * taken.count * 4)
    try withExtendedLifetime(values) {
      let floats = values.bytes.assumingMemoryBound(to: Float.self).baseAddress!
      for tap in 0..<taps {
        let places = tap * channels + taken.lowerBound..<tap * channels + taken.upperBound
        try decode(stripe: stripe, rowCount: rowCount, places: places, into: floats)
        for index in 0..<rowCount * taken.count { out[index * taps + tap] = floats[index] }
      }
    }
  }

  private func decode(stripe: Int, rowCount: Int, places: Range<Int>, into out: UnsafeMutablePointer<Float>) throws {
    let buffers = try planes.indices.map { plane in
      let range = encoding.byteRange(plane: plane, of: reading, stripe: stripe, columns: places)
      let buffer = try AlignedBuffer(byteCount: range.count)
      try source.read(plane: plane, at: range.lowerBound, into: buffer.bytes)
      return buffer
    }
    withExtendedLifetime(buffers) {
      encoding.decode(
        PlaneBytes(buffers.map { UnsafeRawBufferPointer($0.bytes) }), dtype: reading.dtype, rows: rowCount,
        columns: places.count, into: out, stride: places.count)
    }
  }

  /// Plain elements in tiles, a row of tiles at a time, through the scalar routine.
  private func readTiles(_ tile: TileLayout, at offset: Int, into buffer: UnsafeMutableRawBufferPointer) throws {
    let rowBits = shape.columns * tile.elementBits
    let stripeByteCount = tile.tilesAcross(columns: shape.columns) * tile.tileByteCount
    let stripeBits = tile.tileRows * rowBits
    let stripe = try AlignedBuffer(byteCount: stripeByteCount)
    let plain = try AlignedBuffer(byteCount: (min(tile.tileRows, shape.rows) * rowBits + 7) / 8)
    var done = 0
    while done < buffer.count {
      let number = (offset + done) / (stripeBits / 8)
      let rowCount = min(tile.tileRows, shape.rows - number * tile.tileRows)
      try source.read(plane: 0, at: number * stripeByteCount, into: stripe.bytes)
      tile.copy(
        rowRange: 0..<rowCount, shape: shape.matrix, plane: stripe.bytes, plain: plain.bytes, toPlain: true)
      let skip = offset + done - number * (stripeBits / 8)
      let length = min(rowCount * rowBits / 8 - skip, buffer.count - done)
      UnsafeMutableRawBufferPointer(rebasing: buffer[done..<done + length])
        .copyMemory(from: UnsafeRawBufferPointer(rebasing: plain.bytes[skip..<skip + length]))
      done += length
    }
  }
}
