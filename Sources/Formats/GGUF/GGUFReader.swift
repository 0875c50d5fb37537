import Tensors

/// Reads a GGUF header from the front of a file, through a window.
struct GGUFReader {
  let file: any ByteSource
  private(set) var offset = 0
  private let window: AlignedBuffer
  private var filled = 0..<0

  init(_ file: any ByteSource) throws(GGUFError) {
    self.file = file
    do { window = try AlignedBuffer(byteCount: 256 << 10) } catch { throw .file(error) }
  }

  var remaining: Int { file.byteCount - offset }

  private mutating func need(_ count: Int) throws(GGUFError) {
    guard count <= remaining else { throw .truncated(offset: file.byteCount) }
    guard !(filled.lowerBound <= offset && offset + count <= filled.upperBound) else { return }
    let size = min(window.bytes.count, remaining)
    do {
      try file.read(at: offset, into: UnsafeMutableRawBufferPointer(rebasing: window.bytes[..<size]))
    } catch { throw .file(error) }
    filled = offset..<offset + size
  }

  mutating func number<Number: FixedWidthInteger>(_: Number.Type = Number.self) throws(GGUFError) -> Number {
    let size = MemoryLayout<Number>.size
    try need(size)
    defer { offset += size }
    return Number(littleEndian: window.bytes.loadUnaligned(fromByteOffset: offset - filled.lowerBound, as: Number.self))
  }

  /// Bytes that fit the window.
  mutating func bytes(_ count: Int) throws(GGUFError) -> [UInt8] {
    try need(count)
    defer { offset += count }
    let start = offset - filled.lowerBound
    return Array(window.bytes[start..<start + count])
  }

  mutating func skip(_ count: Int) throws(GGUFError) {
    guard count <= remaining else { throw .truncated(offset: file.byteCount) }
    offset += count
  }
}
