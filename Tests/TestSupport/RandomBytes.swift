/// A small generator with a seed, so that every test run does the same.
public struct SeededGenerator: RandomNumberGenerator {
  private var state: UInt64

  public init(_ seed: UInt64) { state = seed }

  public mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ z >> 30) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ z >> 27) &* 0x94D0_49BB_1331_11EB
    return z ^ z >> 31
  }

  public mutating func bytes(_ count: Int) -> [UInt8] { (0..<count).map { _ in UInt8(truncatingIfNeeded: next()) } }

  /// Standard normal deviates.
  public mutating func normals(_ count: Int) -> [Float] {
    (0..<count).map { _ in
      var sum = 0.0
      // Twelve uniform deviates: good enough for data, and exact on every machine.
      for _ in 0..<12 { sum += Double(next() >> 11) / Double(1 << 53) }
      return Float(sum - 6)
    }
  }

  /// A changed copy: bytes flipped, removed, repeated or replaced.
  public mutating func mutant(of original: [UInt8]) -> [UInt8] {
    var bytes = original
    for _ in 0...Int(next() % 4) where !bytes.isEmpty {
      let place = Int(next() % UInt64(bytes.count))
      switch next() % 6 {
      case 0: bytes[place] ^= 1 << UInt8(next() % 8)
      case 1: bytes[place] = UInt8(truncatingIfNeeded: next())
      case 2: bytes.removeSubrange(place..<min(bytes.count, place + Int(next() % 16)))
      case 3: bytes.insert(contentsOf: self.bytes(Int(next() % 8)), at: place)
      case 4: bytes[place] = [0, 0xFF, 0x7F, 0x80][Int(next() % 4)]
      default: bytes.insert(contentsOf: bytes[place..<min(bytes.count, place + 8)], at: place)
      }
    }
    return bytes
  }
}
