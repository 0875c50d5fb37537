import Glibc

/// The random numbers of PyTorch's CPU generator, so that a seed means the same there and here.
///
/// Source: Matsumoto and Nishimura, "Mersenne Twister"; PyTorch's documentation of `torch.Generator`, and its `randn` for
/// f32: Box-Muller over runs of 16.
public struct TorchGenerator: Sendable {
  private var state: [UInt32]
  private var next = 624
  private var spare: Double?

  /// PyTorch uses the lower 32 bits of a seed.
  public init(seed: UInt64) {
    var state: [UInt32] = [UInt32(truncatingIfNeeded: seed)]
    for index in 1..<624 {
      let last = state[index - 1]
      state.append(1_812_433_253 &* (last ^ last >> 30) &+ UInt32(index))
    }
    self.state = state
  }

  private mutating func word() -> UInt32 {
    if next == 624 { turn() }
    var y = state[next]
    next += 1
    y ^= y >> 11
    y ^= y << 7 & 0x9D2C_5680
    y ^= y << 15 & 0xEFC6_0000
    return y ^ y >> 18
  }

  private mutating func turn() {
    for index in 0..<624 {
      let y = state[index] & 0x8000_0000 | state[(index + 1) % 624] & 0x7FFF_FFFF
      state[index] = state[(index + 397) % 624] ^ y >> 1 ^ (y & 1 == 0 ? 0 : 0x9908_B0DF)
    }
    next = 0
  }

  /// 24 bits as a number from 0 up to 1.
  private mutating func uniform() -> Float { Float(word() & 0xFF_FFFF) * 0x1p-24 }

  /// 53 bits of two words, the first the upper half.
  private mutating func uniformDouble() -> Double {
    let upper = UInt64(word())
    return Double((upper << 32 | UInt64(word())) & (1 << 53 - 1)) * 0x1p-53
  }

  /// `torch.randn(count)` in f32.
  public mutating func normals(_ count: Int) -> [Float] {
    guard count >= 16 else { return (0..<count).map { _ in Float(normal()) } }
    var values = (0..<count).map { _ in uniform() }
    for start in stride(from: 0, through: count - 16, by: 16) { Self.boxMuller(&values, start) }
    if count % 16 != 0 {
      // The last 16 are drawn anew.
      for index in count - 16..<count { values[index] = uniform() }
      Self.boxMuller(&values, count - 16)
    }
    return values
  }

  private static func boxMuller(_ values: inout [Float], _ start: Int) {
    for index in start..<start + 8 {
      let radius = (-2 * log(1 - values[index])).squareRoot()
      // Float.pi is rounded towards zero, as no other library has it.
      let angle = Float(2 * Double.pi) * values[index + 8]
      values[index] = radius * cos(angle)
      values[index + 8] = radius * sin(angle)
    }
  }

  private mutating func normal() -> Double {
    if let value = spare {
      spare = nil
      return value
    }
    let first = uniformDouble()
    let second = uniformDouble()
    let radius = (-2 * log1p(-second)).squareRoot()
    spare = radius * sin(2 * .pi * first)
    return radius * cos(2 * .pi * first)
  }
}
