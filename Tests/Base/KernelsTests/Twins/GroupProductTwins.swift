extension Twin {
  struct QuantizedActivations {
    var codes: [Int8] = []
    var scales: [Float] = []
    var sums: [Int32] = []
    var halfSums: [Int32] = []
  }

  /// Activations `[rowCount, groups, 32]` as codes; a scale and sums of codes a group: of all, and of the first 16.
  static func quantizeActivations(
    _ x: [Float], rowCount: Int, columns: Int
  ) -> QuantizedActivations {
    var out = QuantizedActivations()
    for row in 0..<rowCount {
      for first in stride(from: 0, to: columns, by: 32) {
        let group = x[(row * columns + first)..<(row * columns + min(first + 32, columns))]
        let largest = group.map(\.magnitude).max() ?? 0
        let inverse = largest > 0 ? 127 / largest : 0
        let found = group.map { Int8(($0 * inverse).rounded(.toNearestOrEven)) }
        out.codes += found + [Int8](repeating: 0, count: 32 - found.count)
        out.scales.append(largest / 127)
        out.sums.append(found.reduce(0) { $0 + Int32($1) })
        out.halfSums.append(found.prefix(16).reduce(0) { $0 + Int32($1) })
      }
    }
    return out
  }

  /// One output of one row: groups are exact integers, added up in order by fused multiply-adds.
  static func groupProduct(
    weightCodes: [Int], weightScales: [Float], activationCodes: [Int8], activationScales: [Float]
  ) -> Float {
    var total: Float = 0
    for group in weightScales.indices {
      let columns = group * 32..<group * 32 + 32
      let sum = columns.reduce(0) { $0 + weightCodes[$1] * Int(activationCodes[$1]) }
      total.addProduct(Float(sum), weightScales[group] * activationScales[group])
    }
    return total
  }

  /// One output of a row of exact activations.
  static func multiplyRow(_ x: [Float], codes: [Int], scales: [Float]) -> Float {
    var total: Float = 0
    for group in scales.indices {
      var sum: Float = 0
      for column in group * 32..<min(group * 32 + 32, x.count) { sum.addProduct(Float(codes[column]), x[column]) }
      total.addProduct(sum, scales[group])
    }
    return total
  }
}
