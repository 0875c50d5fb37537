/// Up to `limit` names that resemble `name`, the nearest first: those that a typing error or another version explains.
public func nearestNames(to name: String, in candidates: [String], limit: Int = 3) -> [String] {
  let target = Array(name.utf8.prefix(200))
  let bound = max(3, target.count / 3)
  return candidates.prefix(20_000)
    .compactMap { candidate -> (distance: Int, name: String)? in
      let distance = editDistance(target, Array(candidate.utf8.prefix(200)), bound: bound)
      return distance <= bound ? (distance, candidate) : nil
    }
    .sorted { ($0.distance, $0.name) < ($1.distance, $1.name) }
    .prefix(limit).map(\.name)
}

/// Levenshtein distance; any number above `bound` where it is larger than that.
func editDistance(_ a: [UInt8], _ b: [UInt8], bound: Int) -> Int {
  guard abs(a.count - b.count) <= bound else { return bound + 1 }
  var previous = Array(0...b.count)
  var current = previous
  for (i, left) in a.enumerated() {
    current[0] = i + 1
    var smallest = current[0]
    for (j, right) in b.enumerated() {
      current[j + 1] = min(previous[j] + (left == right ? 0 : 1), previous[j + 1] + 1, current[j] + 1)
      smallest = min(smallest, current[j + 1])
    }
    if smallest > bound { return bound + 1 }
    swap(&previous, &current)
  }
  return previous[b.count]
}
