import Encodings
import GGUF
import Kernels
import ModelSources
import Tensors

/// Writes a tensor's codes and scales without decoding them.
struct BlockStream {
  let tensor: EncodedTensor

  /// Copies the one plane of a tensor.
  func copy(
    to output: AtomicOutputFile, at offset: Int, _ buffers: StreamBuffers, _ resources: Resources
  ) throws {
    let (byteCount, piece) = (tensor.storedByteCount, buffers.source.bytes.count)
    for start in stride(from: 0, to: byteCount, by: piece) {
      try resources.cancellation.check()
      let part = UnsafeMutableRawBufferPointer(rebasing: buffers.source.bytes[..<min(piece, byteCount - start)])
      try tensor.read(plane: 0, at: start, into: part)
      try output.write(UnsafeRawBufferPointer(part), at: offset + start)
      resources.progress(part.count)
    }
  }

  /// Columns whose codes fill a thread's first buffer at 8 bits.
  private static let columnLimit = Resources.streamByteCount / GroupTile.rows

  /// Writes groups as blocks, a stripe of rows at a time.
  func write(
    _ blocks: GroupBlocks, to output: AtomicOutputFile, at offset: Int, _ buffers: StreamBuffers, _ resources: Resources
  ) throws {
    let (rows, columns) = (tensor.shape.rows, tensor.shape.columns)
    let rowByteCount = blocks.rowByteCount(columns: columns)
    for first in stride(from: 0, to: rows, by: GroupTile.rows) {
      try resources.cancellation.check()
      let rowCount = min(GroupTile.rows, rows - first)
      for start in stride(from: 0, to: columns, by: Self.columnLimit) {
        let run = start..<min(columns, start + Self.columnLimit)
        let codes = try read(0, stripe: first / GroupTile.rows, run, into: buffers.source, resources)
        let scales = try read(1, stripe: first / GroupTile.rows, run, into: buffers.scratch, resources)
        let runByteCount = blocks.rowByteCount(columns: run.count)
        let out = UnsafeMutableRawBufferPointer(rebasing: buffers.target.bytes[..<(rowCount * runByteCount)])
        blocks.write(codes: codes, scales: scales, rows: rowCount, columns: run.count, into: out)
        let place = offset + first * rowByteCount
        if run.count == columns {
          try output.write(UnsafeRawBufferPointer(out), at: place)
          continue
        }
        for row in 0..<rowCount {
          try output.write(
            UnsafeRawBufferPointer(rebasing: out[(row * runByteCount)..<((row + 1) * runByteCount)]),
            at: place + row * rowByteCount + blocks.rowByteCount(columns: start))
        }
      }
    }
  }

  private func read(
    _ plane: Int, stripe: Int, _ columns: Range<Int>, into buffer: AlignedBuffer, _ resources: Resources
  ) throws -> UnsafeRawBufferPointer {
    let range = tensor.encoding.byteRange(plane: plane, of: tensor.shape, stripe: stripe, columns: columns)
    let bytes = UnsafeMutableRawBufferPointer(rebasing: buffer.bytes[..<range.count])
    try tensor.read(plane: plane, at: range.lowerBound, into: bytes)
    resources.progress(range.count)
    return UnsafeRawBufferPointer(bytes)
  }
}
