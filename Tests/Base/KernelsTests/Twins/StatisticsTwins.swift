import CKernels

extension Twin {
  /// Adds one block: finite values alone count, squares in 16 lanes of the elements' index mod 16, added up in ascending order.
  static func statistics(_ stats: ck_stats, _ values: [Float]) -> ck_stats {
    var stats = stats
    var lanes = [Double](repeating: 0, count: 16)
    for (index, value) in values.enumerated() {
      if value == 0 { stats.zero_count += 1 }
      guard value.isFinite else {
        stats.nonfinite_count += 1
        continue
      }
      stats.minimum = min(stats.minimum, Double(value))
      stats.maximum = max(stats.maximum, Double(value))
      lanes[index % 16] += Double(value) * Double(value)
    }
    stats.square_sum += lanes.reduce(0, +)
    return stats
  }

  /// Adds one run: pairs of finite values alone count, sums in 16 lanes as above.
  static func difference(_ diff: ck_diff, _ a: [Float], _ b: [Float]) -> ck_diff {
    var diff = diff
    let nothing = [Double](repeating: 0, count: 16)
    var (squareA, squareB, product, error) = (nothing, nothing, nothing, nothing)
    for index in a.indices {
      let lane = index % 16
      let isChanged = a[index].bitPattern != b[index].bitPattern
      if isChanged { diff.changed_count += 1 }
      guard a[index].isFinite && b[index].isFinite else {
        if isChanged { diff.nonfinite_mismatch_count += 1 }
        continue
      }
      let (x, y) = (Double(a[index]), Double(b[index]))
      squareA[lane] += x * x
      squareB[lane] += y * y
      product[lane] += x * y
      error[lane] += (x - y) * (x - y)
      if abs(x - y) > diff.largest_error {
        diff.largest_error = abs(x - y)
        diff.largest_error_index = diff.element_count + UInt64(index)
      }
    }
    // The sums of earlier runs come first, then lane after lane.
    diff.square_a = squareA.reduce(diff.square_a, +)
    diff.square_b = squareB.reduce(diff.square_b, +)
    diff.product = product.reduce(diff.product, +)
    diff.error_square = error.reduce(diff.error_square, +)
    diff.element_count += UInt64(a.count)
    return diff
  }

  static func nonfiniteCount(_ values: [Float]) -> UInt64 { UInt64(values.filter { !$0.isFinite }.count) }
}
