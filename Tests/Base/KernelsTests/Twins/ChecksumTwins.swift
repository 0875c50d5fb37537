extension Twin {
  /// CRC-32C, bit by bit.
  static func crc32c(_ sum: UInt32, _ bytes: [UInt8]) -> UInt32 {
    var crc = ~sum
    for byte in bytes {
      crc ^= UInt32(byte)
      for _ in 0..<8 { crc = crc & 1 == 1 ? crc >> 1 ^ 0x82F6_3B78 : crc >> 1 }
    }
    return ~crc
  }

  static func exclusiveOr(_ words: [UInt64]) -> UInt64 { words.reduce(0, ^) }
}
