/// Sums that are the same whatever the order of their terms: two of f64, the first of multiples of 2^-8, the second of what is left in
/// multiples of 2^-44. Both are exact as long as the sum stays below 2^45; larger ones are rounded like any other.
enum SplitSum {
  /// Adds terms, cut towards zero at 2^-44.
  static func add(
    _ terms: UnsafePointer<Float>, count: Int, high: UnsafeMutablePointer<Double>, low: UnsafeMutablePointer<Double>
  ) {
    for index in 0..<count {
      let term = Double(terms[index])
      let coarse = (term * 0x1p8).rounded(.towardZero) * 0x1p-8
      high[index] += coarse
      low[index] += ((term - coarse) * 0x1p44).rounded(.towardZero) * 0x1p-44
    }
  }

  /// Pairs as plain numbers.
  /// - Parameter pair: `[2, n]`.
  static func totals(_ pair: [Double]) -> [Double] {
    let count = pair.count / 2
    return (0..<count).map { pair[$0] + pair[count + $0] }
  }
}
