/// The search for the scale of one group: up to 32 finite values of one row.
struct GroupSearchTwin {
  let values: [Float]
  let bits: Int

  private var low: Float { bits == 8 ? -128 : -8 }
  private var high: Float { bits == 8 ? 127 : 7 }
  private var trials: [Float] { Self.trials(bits: bits) }

  /// Where the value of largest magnitude goes, as parts of the lowest code.
  static func trials(bits: Int) -> [Float] {
    bits == 8
      ? [0.9922, 0.9844, 0.9766, 0.9688, 0.9609, 0.9531, 0.9453, 1.0039]
      : [1, 0.95, 0.9, 0.85, 0.8, 1.05, 1.1, 1.15, 1.2, -0.95]
  }

  /// NaN counts as 0, infinity as the largest finite magnitude with its sign.
  static func tamed(_ values: [Float]) -> [Float] {
    let largest = values.filter(\.isFinite).map(\.magnitude).max() ?? 0
    return values.map { $0.isNaN ? 0 : $0.isFinite ? $0 : $0 > 0 ? largest : -largest }
  }

  /// The product is exact in f64, and so rounded once.
  func code(_ value: Float, scale: Float) -> Float {
    let inverse = scale == 0 ? 0 : 1 / scale
    let nearest = (Double(value) * Double(inverse)).rounded(.toNearestOrEven)
    return Float(min(max(nearest, Double(low)), Double(high)))
  }

  func scale() -> Float {
    var extreme: Float = 0
    for value in values where value.magnitude > extreme.magnitude { extreme = value }
    let plain = extreme / low
    var best = stored(plain)
    var bestError = error(best)
    func consider(_ candidate: Float) {
      let found = error(candidate)
      if found < bestError { (best, bestError) = (candidate, found) }
    }
    for trial in trials {
      let candidate = stored(extreme / (low * trial))
      consider(bits == 4 ? refitted(candidate) : candidate)
    }
    consider(refitted(best))
    if plain != 0 && plain.magnitude < 0x1p-20 {
      for step in 1...16 { consider(Float(step) * (plain < 0 ? -0x1p-24 : 0x1p-24)) }
    }
    return best
  }

  /// As it will be read: f16, held within its range.
  private func stored(_ scale: Float) -> Float { Float(Float16(min(max(scale, -65504), 65504))) }

  /// Squared error of the values as they will be decoded.
  private func error(_ scale: Float) -> Float {
    var sum: Float = 0
    for value in values {
      let difference = value.addingProduct(-code(value, scale: scale), scale)
      sum.addProduct(difference, difference)
    }
    return sum
  }

  /// The least-squares scale for the codes that a scale gives.
  private func refitted(_ scale: Float) -> Float {
    var (product, square): (Float, Float) = (0, 0)
    for value in values {
      let code = code(value, scale: scale)
      product.addProduct(value, code)
      square.addProduct(code, code)
    }
    return stored(square == 0 ? 0 : product / square)
  }
}
