extension Twin {
  /// One output's group of at most 32 values: the f16 scale that is the least at or above the largest magnitude over 127, and codes
  /// around 128.
  static func roundGroup(_ x: [Float]) -> (codes: [UInt8], scale: UInt16) {
    let exact = (x.map(\.magnitude).max() ?? 0) / 127
    // f16 values that are not negative are in the order of their bits.
    var scale = UInt16(0)
    while widenF16(scale) < exact { scale += 1 }
    let inverse = scale == 0 ? 0 : 1 / widenF16(scale)
    let codes = x.map { UInt8(128 + (Double($0) * Double(inverse)).rounded(.toNearestOrEven)) }
    return (codes, scale)
  }
}
