/// Takes little-endian numbers and runs of bytes from the front of a byte string, never past its end.
public struct ByteCursor {
  public let bytes: [UInt8]
  @usableFromInline var position: Int

  /// Where the next byte stands.
  public var offset: Int { position }

  public init(_ bytes: [UInt8], offset: Int = 0) {
    precondition((0...bytes.count).contains(offset), "offset outside the bytes")
    self.bytes = bytes
    position = offset
  }

  public var remaining: Int { bytes.count - offset }

  /// The next number, or nil where fewer bytes are left.
  @inlinable public mutating func take<Number: FixedWidthInteger>(_: Number.Type = Number.self) -> Number? {
    let size = MemoryLayout<Number>.size
    guard bytes.count - position >= size else { return nil }
    defer { position += size }
    return bytes.withUnsafeBytes { Number(littleEndian: $0.loadUnaligned(fromByteOffset: position, as: Number.self)) }
  }

  /// The range of the next `count` bytes, or nil where fewer are left.
  public mutating func take(count: Int) -> Range<Int>? {
    guard count >= 0, count <= remaining else { return nil }
    defer { position += count }
    return offset..<offset + count
  }
}
