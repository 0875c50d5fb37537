import Foundation

/// In f64, one element after another, by the definitions.
extension Twin {
  static func rmsNorm(_ x: [Float], weight: [Float], scale: [Float]?, epsilon: Float) -> [Double] {
    let meanSquare = x.reduce(0.0) { $0 + Double($1) * Double($1) } / Double(x.count)
    return x.indices.map { index in
      let normal = Double(x[index]) / (meanSquare + Double(epsilon)).squareRoot()
      return normal * Double(weight[index]) * (1 + Double(scale?[index] ?? 0))
    }
  }

  static func layerNorm(
    _ x: [Float], weight: [Float]?, bias: [Float]?, scale: [Float]?, epsilon: Float
  ) -> [Double] {
    let mean = x.reduce(0.0) { $0 + Double($1) } / Double(x.count)
    let variance = x.reduce(0.0) { $0 + (Double($1) - mean) * (Double($1) - mean) } / Double(x.count)
    return x.indices.map { index in
      let normal = (Double(x[index]) - mean) / (variance + Double(epsilon)).squareRoot()
      let moved = normal * Double(weight?[index] ?? 1) + Double(bias?[index] ?? 0)
      return moved * (1 + Double(scale?[index] ?? 0))
    }
  }

  /// Sums of each channel and of its squares, added to what is given.
  static func channelSums(
    _ sums: [Double], _ squares: [Double], _ x: [Float]
  ) -> (sums: [Double], squares: [Double]) {
    var (sums, squares) = (sums, squares)
    for (index, value) in x.enumerated() {
      sums[index % sums.count] += Double(value)
      squares[index % sums.count] += Double(value) * Double(value)
    }
    return (sums, squares)
  }

  static func scaleShift(_ x: [Float], scale: [Float], shift: [Float]) -> [Float] {
    x.enumerated().map { shift[$0 % shift.count].addingProduct($1, scale[$0 % shift.count]) }
  }

  /// One row of a softmax over blocks: the powers, and what the maximum, the sum and a factor of all that was before become.
  static func softmax(
    _ scores: [Float], length: Int, scale: Float, maximum: Float, sum: Float
  ) -> (powers: [Double], maximum: Float, sum: Double, shrink: Double) {
    let counted = scores.prefix(length)
    let top = max(maximum, counted.max() ?? maximum)
    let powers = scores.indices.map { index in
      index < length ? exp(Double(scale) * (Double(scores[index]) - Double(top))) : 0
    }
    let shrink = top == maximum ? 1 : exp(Double(scale) * (Double(maximum) - Double(top)))
    return (powers, top, Double(sum) * shrink + powers.reduce(0, +), shrink)
  }
}
