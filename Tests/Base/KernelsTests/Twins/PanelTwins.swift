extension Twin {
  /// `[depth, 32]` of a matrix `[columns, stride]`.
  static func packRows(_ b: [Float], stride: Int, columns: Int, depth: Int) -> [Float] {
    (0..<depth).flatMap { k in (0..<32).map { n in n < columns ? b[n * stride + k] : 0 } }
  }

  /// `[depth, 32]` of a matrix `[depth, stride]`.
  static func packColumns(_ b: [Float], stride: Int, columns: Int, depth: Int) -> [Float] {
    (0..<depth).flatMap { k in (0..<32).map { n in n < columns ? b[k * stride + n] : 0 } }
  }

  /// `[(depth + 1) / 2, 32, 2]` of a matrix `[columns, stride]`.
  static func packPairs(_ b: [UInt16], stride: Int, columns: Int, depth: Int) -> [UInt16] {
    (0..<(depth + 1) / 2).flatMap { pair in
      (0..<64).map { place in
        let (n, k) = (place / 2, 2 * pair + place % 2)
        return n < columns && k < depth ? b[n * stride + k] : 0
      }
    }
  }

  static func pairRows(_ even: [Float], _ odd: [Float]) -> [UInt16] {
    zip(even, odd).flatMap { [narrowBF16($0), narrowBF16($1)] }
  }

  /// One output of one row: the sum starts at 0, is fused in ascending order, and is then added.
  static func panelProduct(_ output: Float, a: [Float], weights: [Float]) -> Float {
    var total: Float = 0
    for (value, weight) in zip(a, weights) { total.addProduct(value, weight) }
    return output + total
  }

  /// One output of one row in f64, and the sum of the magnitudes, which bounds what f32 may lose.
  static func pairProduct(
    _ output: Float, a: [UInt16], weights: [UInt16]
  ) -> (value: Double, magnitude: Double) {
    let products = zip(a, weights).map { Double(widenBF16($0)) * Double(widenBF16($1)) }
    return (products.reduce(Double(output), +), products.reduce(abs(Double(output))) { $0 + abs($1) })
  }

  /// One output: 64 fused lanes, the index mod 64, whose upper half is added to the lower until one is left.
  static func dotRows(_ output: Float, weights: [Float], x: [Float]) -> Float {
    var lanes = [Float](repeating: 0, count: 64)
    for index in x.indices { lanes[index % 64].addProduct(weights[index], x[index]) }
    while lanes.count > 1 {
      let half = lanes.count / 2
      lanes = (0..<half).map { lanes[$0] + lanes[half + $0] }
    }
    return output + lanes[0]
  }
}
