// Blocks of 32 elements. Source: gguf-py, `quants.py`; ggml, `ggml-quants.c`.
// In each, the low nibbles are elements 0 to 15 and the high ones 16 to 31.

func decodeQ4_0(_ block: UnsafePointer<UInt8>, _ out: UnsafeMutablePointer<Float>) {
  let scale = half(block)
  for i in 0..<16 {
    out[i] = scale * Float(Int(block[2 + i] & 15) - 8)
    out[16 + i] = scale * Float(Int(block[2 + i] >> 4) - 8)
  }
}

func decodeQ4_1(_ block: UnsafePointer<UInt8>, _ out: UnsafeMutablePointer<Float>) {
  let (scale, minimum) = (half(block), half(block + 2))
  for i in 0..<16 {
    out[i] = scale * Float(block[4 + i] & 15) + minimum
    out[16 + i] = scale * Float(block[4 + i] >> 4) + minimum
  }
}

/// Four nibble bits of a byte and the fifth out of a word of 32.
@inline(__always) private func fiveBits(_ codes: UnsafePointer<UInt8>, _ highBits: UnsafePointer<UInt8>, _ i: Int)
  -> Int
{
  let low = i < 16 ? codes[i] & 15 : codes[i - 16] >> 4
  return Int(low) | Int(highBits[i / 8] >> UInt8(i % 8) & 1) << 4
}

func decodeQ5_0(_ block: UnsafePointer<UInt8>, _ out: UnsafeMutablePointer<Float>) {
  let scale = half(block)
  for i in 0..<32 { out[i] = scale * Float(fiveBits(block + 6, block + 2, i) - 16) }
}

func decodeQ5_1(_ block: UnsafePointer<UInt8>, _ out: UnsafeMutablePointer<Float>) {
  let (scale, minimum) = (half(block), half(block + 2))
  for i in 0..<32 { out[i] = scale * Float(fiveBits(block + 8, block + 4, i)) + minimum }
}

func decodeQ8_0(_ block: UnsafePointer<UInt8>, _ out: UnsafeMutablePointer<Float>) {
  let scale = half(block)
  for i in 0..<32 { out[i] = Float(Int8(bitPattern: block[2 + i])) * scale }
}

/// The levels of IQ4_NL and IQ4_XS.
private let nonlinearLevels: InlineArray<16, Float> = [
  -127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113,
]

func decodeIQ4NL(_ block: UnsafePointer<UInt8>, _ out: UnsafeMutablePointer<Float>) {
  decodeNonlinear(block + 2, scale: half(block), out)
}

@inline(__always) func decodeNonlinear(
  _ codes: UnsafePointer<UInt8>, scale: Float, _ out: UnsafeMutablePointer<Float>
) {
  for i in 0..<16 {
    out[i] = scale * nonlinearLevels[Int(codes[i] & 15)]
    out[16 + i] = scale * nonlinearLevels[Int(codes[i] >> 4)]
  }
}

/// The doubled values of E2M1.
private let microLevels: InlineArray<16, Float> = [0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12]

func decodeMXFP4(_ block: UnsafePointer<UInt8>, _ out: UnsafeMutablePointer<Float>) {
  // Half of 2^(e - 127), since the levels are doubled; the two smallest are subnormal.
  let exponent = UInt32(block[0])
  let scale = Float(bitPattern: exponent < 2 ? 0x0020_0000 << exponent : (exponent - 1) << 23)
  for i in 0..<16 {
    out[i] = scale * microLevels[Int(block[1 + i] & 15)]
    out[16 + i] = scale * microLevels[Int(block[1 + i] >> 4)]
  }
}
