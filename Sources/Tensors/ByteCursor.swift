/// Takes little-endian numbers and runs of bytes from the front of a byte string, never past its end.
public struct ByteCursor {
  public let bytes: [UInt8]
  public private(set) var offset: Int

  public init(_ bytes: [UInt8], offset: Int = 0) {
    precondition((0...bytes.count).contains(offset), "offset outside the bytes")
    self.bytes = bytes
    self.offset = offset
  }

  public var remaining: Int { bytes.count - offset }

  /// The next number, or nil where fewer bytes are left.
  public mutating func take<Number: FixedWidthInteger>(_: Number.Type = Number.self) -> Number? {
    let size = MemoryLayout<Number>.size
    guard remaining >= size else { return nil }
    defer { offset += size }
    return bytes.withUnsafeBytes { Number(littleEndian: $0.loadUnaligned(fromByteOffset: offset, as: Number.self)) }
  }

  /// The range of the next `count` bytes, or nil where fewer are left.
  public mutating func take(count: Int) -> Range<Int>? {
    guard count >= 0, count <= remaining else { return nil }
    defer { offset += count }
    return offset..<offset + count
  }

  /// The range of the bytes up to a line feed, which is taken too; nil where there is none.
  public mutating func takeLine() -> Range<Int>? {
    guard let end = bytes[offset...].firstIndex(of: 0x0A) else { return nil }
    defer { offset = end + 1 }
    return offset..<end
  }
}
