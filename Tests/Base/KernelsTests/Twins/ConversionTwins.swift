import TestSupport

extension Twin {
  static func widenBF16(_ half: UInt16) -> Float { Float(bitPattern: UInt32(half) << 16) }

  /// By the hardware's type; NaN with its bits, which that would make quiet.
  static func widenF16(_ half: UInt16) -> Float {
    let value = Float16(bitPattern: half)
    guard value.isNaN else { return Float(value) }
    return Float(bitPattern: UInt32(half & 0x8000) << 16 | 0x7F80_0000 | UInt32(half & 0x3FF) << 13)
  }

  static func narrowF16(_ value: Float) -> UInt16 {
    guard value.isNaN else { return Float16(value).bitPattern }
    return UInt16(value.bitPattern >> 16 & 0x8000) | 0x7E00 | UInt16(value.bitPattern >> 13 & 0x3FF)
  }

  /// The nearer of the two neighbours, the even one on a tie. Beyond the largest value lies 2^128, which is written as infinity.
  static func narrowBF16(_ value: Float) -> UInt16 {
    let below = UInt16(value.bitPattern >> 16)
    if value.isNaN { return below | 0x40 }
    if value.isInfinite { return below }
    func magnitude(_ half: UInt16) -> Double {
      half & 0x7FFF == 0x7F80 ? 0x1p128 : Double(Float(bitPattern: UInt32(half & 0x7FFF) << 16))
    }
    let (down, up) = (
      Double(value.magnitude) - magnitude(below), magnitude(below + 1) - Double(value.magnitude)
    )
    if down == up { return below % 2 == 0 ? below : below + 1 }
    return down < up ? below : below + 1
  }

  /// Synthetic weights: each word of SplitMix64 gives four draws, the lowest bits first.
  static func normalFill(
    key: UInt64, firstIndex: UInt64, normals: [Float], scale: Float, columnScale: [Float]
  ) -> [UInt16] {
    columnScale.enumerated().map { offset, factor in
      let index = firstIndex + UInt64(offset)
      var generator = SeededGenerator(key &+ index / 4)
      let draw = generator.next() >> (16 * (index % 4)) & 0xFFFF
      return narrowBF16(normals[Int(draw)] * scale * factor)
    }
  }
}
