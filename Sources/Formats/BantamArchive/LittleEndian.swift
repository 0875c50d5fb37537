/// Appends little-endian values.
struct LittleEndianWriter {
  var bytes: [UInt8] = []

  mutating func put(_ value: some FixedWidthInteger) {
    withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
  }
  mutating func put(_ value: Double) { put(value.bitPattern) }
  mutating func put(bytes more: [UInt8]) { bytes.append(contentsOf: more) }

  /// Adds zero bytes until the count is `count`.
  mutating func pad(to count: Int) {
    precondition(bytes.count <= count, "record is longer than its stride")
    bytes.append(contentsOf: repeatElement(0, count: count - bytes.count))
  }

  mutating func align(_ alignment: Int) { pad(to: roundUp(bytes.count, to: alignment)) }
}

/// A record in a table of bytes whose bounds were checked before.
struct LittleEndianRecord {
  let table: UnsafeRawBufferPointer
  let start: Int

  func get<Value: FixedWidthInteger>(_ offset: Int, as _: Value.Type = Value.self) -> Value {
    Value(littleEndian: table.loadUnaligned(fromByteOffset: start + offset, as: Value.self))
  }
  func u16(_ offset: Int) -> Int { Int(get(offset, as: UInt16.self)) }
  func u32(_ offset: Int) -> Int { Int(get(offset, as: UInt32.self)) }
  /// A 64-bit count or offset; nil beyond 2^63-1.
  func size(_ offset: Int) -> Int? { Int(exactly: get(offset, as: UInt64.self)) }
  func double(_ offset: Int) -> Double { Double(bitPattern: get(offset)) }
  /// Whether `count` bytes, a multiple of 8, are all zero.
  func isZero(_ offset: Int, _ count: Int) -> Bool {
    var word: UInt64 = 0
    for position in stride(from: offset, to: offset + count, by: 8) { word |= get(position, as: UInt64.self) }
    return word == 0
  }
  func bytes(_ offset: Int, _ count: Int) -> [UInt8] { Array(table[start + offset..<start + offset + count]) }
}

/// The next multiple of `alignment`.
func roundUp(_ value: Int, to alignment: Int) -> Int { (value + alignment - 1) / alignment * alignment }
