import CKernels

/// CRC-32C (Castagnoli), as in RFC 3720: the checksum of stored chunks.
public struct CRC32C: Sendable, Equatable {
  /// The sum of all bytes so far.
  public private(set) var value: UInt32 = 0

  public init() {}

  /// Adds bytes to the sum.
  public mutating func update(_ bytes: UnsafeRawBufferPointer) {
    guard let base = bytes.baseAddress else { return }
    value = ck_crc32c(value, base.assumingMemoryBound(to: UInt8.self), bytes.count)
  }

  /// The sum of some bytes.
  public static func of(_ bytes: UnsafeRawBufferPointer) -> UInt32 {
    var sum = CRC32C()
    sum.update(bytes)
    return sum.value
  }

  public static func of(_ bytes: [UInt8]) -> UInt32 { bytes.withUnsafeBytes { of($0) } }
}
