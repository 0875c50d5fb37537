extension GGMLType {
  /// Whether ``decode(_:blockCount:into:)`` knows the blocks.
  public var canDecode: Bool { decoder != nil }

  /// Decodes whole blocks to f32, with the same operations in the same order as gguf-py, thus bit for bit the same.
  /// - Parameters:
  ///   - blocks: `blockCount` blocks.
  ///   - out: room for `blockCount * blockElementCount` values, overwritten.
  /// - Precondition: ``canDecode``.
  public func decode(_ blocks: UnsafeRawBufferPointer, blockCount: Int, into out: UnsafeMutableBufferPointer<Float>) {
    precondition(blocks.count >= blockCount * blockByteCount && out.count >= blockCount * blockElementCount)
    guard blockCount > 0, let decoder, let bytes = blocks.baseAddress?.assumingMemoryBound(to: UInt8.self),
      let values = out.baseAddress
    else { return }
    for block in 0..<blockCount {
      decoder(bytes + block * blockByteCount, values + block * blockElementCount)
    }
  }

  private typealias BlockDecoder = (UnsafePointer<UInt8>, UnsafeMutablePointer<Float>) -> Void

  private var decoder: BlockDecoder? {
    switch self {
    case .q4_0: decodeQ4_0
    case .q4_1: decodeQ4_1
    case .q5_0: decodeQ5_0
    case .q5_1: decodeQ5_1
    case .q8_0: decodeQ8_0
    case .q2K: decodeQ2K
    case .q3K: decodeQ3K
    case .q4K: decodeQ4K
    case .q5K: decodeQ5K
    case .q6K: decodeQ6K
    case .iq4NL: decodeIQ4NL
    case .iq4XS: decodeIQ4XS
    case .mxfp4: decodeMXFP4
    default: nil
    }
  }
}

/// The f16 at a byte.
@inline(__always) func half(_ bytes: UnsafePointer<UInt8>) -> Float {
  Float(Float16(bitPattern: UInt16(bytes[0]) | UInt16(bytes[1]) << 8))
}
