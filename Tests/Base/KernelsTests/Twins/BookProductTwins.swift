extension Twin {
  /// One output of one row of quantized activations. The groups of a tile are added up under its activations' scale,
  /// tiles in order, all by fused multiply-adds; the row's scale comes last.
  /// - Parameters:
  ///   - levels: with their shifts, one for each activation.
  ///   - multiples: of the groups, `32 / group` of them for each scale of the activations.
  static func bookProduct(
    levels: [Int], multiples: [Int], group: Int, rowScale: Float, activationCodes: [Int8], activationScales: [Float]
  ) -> Float {
    var total: Float = 0
    for (tile, scale) in activationScales.enumerated() {
      var products: Float = 0
      for first in stride(from: tile * 32, to: (tile + 1) * 32, by: group) {
        let sum = (first..<first + group).reduce(0) { $0 + levels[$1] * Int(activationCodes[$1]) }
        products.addProduct(Float(sum), Float(multiples[first / group]))
      }
      total.addProduct(products, scale)
    }
    return total * rowScale
  }

  /// One output of a row of exact activations: in each group a chain over the levels with their shifts, then the
  /// multiple; the row's scale comes last.
  static func multiplyBookRow(_ x: [Float], levels: [Int], multiples: [Int], group: Int, rowScale: Float) -> Float {
    var total: Float = 0
    for (number, multiple) in multiples.enumerated() {
      var sum: Float = 0
      for column in number * group..<(number + 1) * group where column < x.count {
        sum.addProduct(Float(levels[column]), x[column])
      }
      total.addProduct(sum, Float(multiple))
    }
    return total * rowScale
  }
}
