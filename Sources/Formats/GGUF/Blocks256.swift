// Blocks of 256 elements. Source: gguf-py, `quants.py`; ggml, `ggml-quants.c`.

func decodeQ2K(_ block: UnsafePointer<UInt8>, _ out: UnsafeMutablePointer<Float>) {
  let (scales, codes) = (block, block + 16)
  let (scale, minimum) = (half(block + 80), half(block + 82))
  for part in 0..<16 {
    let low = scale * Float(scales[part] & 15)
    let offset = minimum * Float(scales[part] >> 4)
    // 128 elements share 32 bytes; each pair of parts takes two bits of all of them.
    let (half, shift, first) = (part / 8, UInt8(part % 8 / 2 * 2), part % 2 * 16)
    for i in 0..<16 {
      out[part * 16 + i] = low * Float(codes[half * 32 + first + i] >> shift & 3) - offset
    }
  }
}

func decodeQ3K(_ block: UnsafePointer<UInt8>, _ out: UnsafeMutablePointer<Float>) {
  let (mask, codes, scales) = (block, block + 32, block + 96)
  let scale = half(block + 108)
  for part in 0..<16 {
    // Four bits of a scale stand in the first 8 bytes, two more in the last 4.
    let low = part < 8 ? scales[part] & 15 : scales[part - 8] >> 4
    let high = scales[8 + part % 4] >> UInt8(part / 4 * 2) & 3
    let local = scale * Float(Int(low | high << 4) - 32)
    let (half, shift, first) = (part / 8, UInt8(part % 8 / 2 * 2), part % 2 * 16)
    for i in 0..<16 {
      let code = Int(codes[half * 32 + first + i] >> shift & 3)
      // The third bit is inverted: where it is set, nothing is taken away.
      let isSet = mask[first + i] >> UInt8(part / 2) & 1 == 1
      out[part * 16 + i] = local * Float(isSet ? code : code - 4)
    }
  }
}

/// The 6-bit scale and minimum of one of 8 parts, packed in 12 bytes.
@inline(__always) private func scaleAndMinimum(_ packed: UnsafePointer<UInt8>, _ part: Int) -> (Float, Float) {
  if part < 4 { return (Float(packed[part] & 63), Float(packed[4 + part] & 63)) }
  let i = part - 4
  return (
    Float(packed[8 + i] & 15 | packed[i] >> 2 & 0x30), Float(packed[8 + i] >> 4 | packed[4 + i] >> 2 & 0x30)
  )
}

func decodeQ4K(_ block: UnsafePointer<UInt8>, _ out: UnsafeMutablePointer<Float>) {
  let (scale, minimum) = (half(block), half(block + 2))
  for part in 0..<8 {
    let (local, offset) = scaleAndMinimum(block + 4, part)
    let (d, m) = (scale * local, minimum * offset)
    let codes = block + 16 + part / 2 * 32
    for i in 0..<32 { out[part * 32 + i] = d * Float(codes[i] >> UInt8(part % 2 * 4) & 15) - m }
  }
}

func decodeQ5K(_ block: UnsafePointer<UInt8>, _ out: UnsafeMutablePointer<Float>) {
  let (scale, minimum) = (half(block), half(block + 2))
  let highBits = block + 16
  for part in 0..<8 {
    let (local, offset) = scaleAndMinimum(block + 4, part)
    let (d, m) = (scale * local, minimum * offset)
    let codes = block + 48 + part / 2 * 32
    for i in 0..<32 {
      let code = codes[i] >> UInt8(part % 2 * 4) & 15 | (highBits[i] >> UInt8(part) & 1) << 4
      out[part * 32 + i] = d * Float(code) - m
    }
  }
}

func decodeQ6K(_ block: UnsafePointer<UInt8>, _ out: UnsafeMutablePointer<Float>) {
  let (lowBits, highBits, scales) = (block, block + 128, block + 192)
  let scale = half(block + 208)
  for part in 0..<16 {
    let d = scale * Float(Int8(bitPattern: scales[part]))
    // 128 elements share 64 bytes of nibbles and 32 of bit pairs.
    let (half, inside) = (part / 8, part % 8)
    let lowShift = UInt8(inside / 4 * 4)
    let highShift = UInt8(inside / 2 * 2)
    for i in 0..<16 {
      let low = lowBits[half * 64 + inside % 4 * 16 + i] >> lowShift & 15
      let high = highBits[half * 32 + inside % 2 * 16 + i] >> highShift & 3
      out[part * 16 + i] = d * Float(Int(low | high << 4) - 32)
    }
  }
}

func decodeIQ4XS(_ block: UnsafePointer<UInt8>, _ out: UnsafeMutablePointer<Float>) {
  let scale = half(block)
  let highBits = UInt16(block[2]) | UInt16(block[3]) << 8
  for part in 0..<8 {
    let low = block[4 + part / 2] >> UInt8(part % 2 * 4) & 15
    let high = UInt8(highBits >> UInt16(2 * part) & 3)
    let local = scale * Float(Int(low | high << 4) - 32)
    decodeNonlinear(block + 8 + part * 16, scale: local, out + part * 32)
  }
}
