import Tensors

/// Reads the operands of a pickle's instructions.
struct PickleReader {
  private let bytes: UnsafeRawBufferPointer
  private(set) var offset: Int

  init(_ bytes: UnsafeRawBufferPointer, offset: Int) {
    self.bytes = bytes
    self.offset = offset
  }

  mutating func byte() throws(PickleError) -> UInt8 {
    guard offset < bytes.count else { throw .truncated(offset: offset) }
    defer { offset += 1 }
    return bytes[offset]
  }

  /// A little-endian number.
  mutating func number<Number: FixedWidthInteger>(_: Number.Type) throws(PickleError) -> Number {
    let size = MemoryLayout<Number>.size
    guard bytes.count - offset >= size else { throw .truncated(offset: bytes.count) }
    defer { offset += size }
    return Number(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: Number.self))
  }

  /// The next `count` bytes, left where they are.
  mutating func run(_ count: Int) throws(PickleError) -> PickleText {
    guard count >= 0 else { throw .badLength(offset: offset) }
    guard count <= bytes.count - offset else { throw .truncated(offset: bytes.count) }
    defer { offset += count }
    return PickleText(start: UInt32(offset), count: UInt32(count))
  }

  /// A run whose length is a 64-bit number.
  mutating func wideRun() throws(PickleError) -> PickleText {
    guard let count = Int(exactly: try number(UInt64.self)) else { throw .badLength(offset: offset) }
    return try run(count)
  }

  /// The bytes up to a line feed, left where they are.
  mutating func lineText() throws(PickleError) -> PickleText {
    let window = bytes[offset..<min(bytes.count, offset + Limits.pickleLineByteCount + 1)]
    guard let end = window.firstIndex(of: 0x0A) else {
      throw window.endIndex == bytes.count ? .truncated(offset: bytes.count) : .badText(offset: offset)
    }
    defer { offset = end + 1 }
    return PickleText(start: UInt32(offset), count: UInt32(end - offset))
  }

  mutating func line() throws(PickleError) -> [UInt8] {
    let text = try lineText()
    return Array(bytes[Int(text.start)..<Int(text.start + text.count)])
  }

  // MARK: Protocol 0, and large integers

  /// An integer in decimal digits; `00` and `01` are false and true where `allowsBool` says so.
  mutating func decimal(allowsBool: Bool) throws(PickleError) -> PickleValue {
    let start = offset
    var digits = try line()
    if allowsBool, digits == [0x30, 0x30] || digits == [0x30, 0x31] { return .bool(digits[1] == 0x31) }
    if digits.last == UInt8(ascii: "L") { digits.removeLast() }
    guard digits.count <= 20, let value = Int(String(decoding: digits, as: UTF8.self)) else {
      throw .badNumber(offset: start)
    }
    return .int(value)
  }

  mutating func decimalIndex() throws(PickleError) -> Int {
    let start = offset
    guard case .int(let index) = try decimal(allowsBool: false), index >= 0 else { throw .badNumber(offset: start) }
    return index
  }

  mutating func decimalFloat() throws(PickleError) -> Double {
    let start = offset
    let text = try line()
    guard text.count <= 400, let value = Double(String(decoding: text, as: UTF8.self)) else {
      throw .badNumber(offset: start)
    }
    return value
  }

  /// A two's complement integer of any number of bytes.
  mutating func long(byteCount: Int) throws(PickleError) -> PickleValue {
    let text = try run(byteCount)
    guard byteCount <= 8 else { return .bigInteger(text) }
    guard byteCount > 0 else { return .int(0) }
    var value: UInt64 = bytes[offset - 1] >= 0x80 ? .max : 0
    for byte in bytes[Int(text.start)..<offset].reversed() { value = value << 8 | UInt64(byte) }
    return .int(Int(bitPattern: UInt(value)))
  }

  /// A string in quotes, with the escapes of Python's `repr`.
  mutating func quoted() throws(PickleError) -> [UInt8] {
    let start = offset
    let text = try line()
    guard text.count >= 2, let quote = text.first, quote == text.last, quote == 0x22 || quote == 0x27 else {
      throw .badText(offset: start)
    }
    let escapes: [UInt8: UInt8] = [0x6E: 0x0A, 0x72: 0x0D, 0x74: 0x09, 0x5C: 0x5C, 0x27: 0x27, 0x22: 0x22]
    var result: [UInt8] = []
    var rest = text[1..<(text.count - 1)]
    while let byte = rest.popFirst() {
      guard byte == 0x5C else {
        result.append(byte)
        continue
      }
      guard let kind = rest.popFirst() else { throw .badText(offset: start) }
      if let plain = escapes[kind] {
        result.append(plain)
      } else if kind == UInt8(ascii: "x"), let code = Self.hex(&rest, 2) {
        result.append(UInt8(code))
      } else {
        throw .badText(offset: start)
      }
    }
    return result
  }

  /// A line in Python's raw-unicode-escape: Latin-1 with `\u` and `\U`.
  mutating func rawUnicode() throws(PickleError) -> [UInt8] {
    let start = offset
    var rest = try line()[...]
    var result: [UInt8] = []
    while let byte = rest.popFirst() {
      var code = UInt32(byte)
      if byte == 0x5C, let kind = rest.first, kind == UInt8(ascii: "u") || kind == UInt8(ascii: "U") {
        rest.removeFirst()
        guard let value = Self.hex(&rest, kind == UInt8(ascii: "u") ? 4 : 8) else { throw .badText(offset: start) }
        code = value
      }
      guard let scalar = Unicode.Scalar(code) else { throw .badText(offset: start) }
      result += UTF8.encode(scalar)!
    }
    return result
  }

  private static func hex(_ rest: inout ArraySlice<UInt8>, _ count: Int) -> UInt32? {
    guard rest.count >= count else { return nil }
    let digits = rest.prefix(count)
    guard digits.allSatisfy({ Character(UnicodeScalar($0)).isHexDigit }) else { return nil }
    rest = rest.dropFirst(count)
    return UInt32(String(decoding: digits, as: UTF8.self), radix: 16)
  }
}
