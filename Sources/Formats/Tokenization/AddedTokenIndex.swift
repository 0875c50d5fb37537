/// Added tokens in the order of their bytes, so that the longest one at a place is found by narrowing a range: in time that grows with
/// the token's length, whatever their number.
struct AddedTokenIndex: Sendable {
  /// Bytes of a token at the most.
  static let byteLimit = 1024

  private let texts: [[UInt8]]
  private let ids: [UInt32]
  /// Whether a token begins with a byte: most places of a text need no more than this.
  private let begins: [Bool]

  /// - Parameter tokens: of equal texts the first counts.
  init(_ tokens: [(bytes: [UInt8], id: UInt32)]) {
    var seen: Set<[UInt8]> = []
    let sorted = tokens.filter { seen.insert($0.bytes).inserted }
      .sorted { $0.bytes.lexicographicallyPrecedes($1.bytes) }
    texts = sorted.map(\.bytes)
    ids = sorted.map(\.id)
    var begins = [Bool](repeating: false, count: 256)
    for text in texts { if let first = text.first { begins[Int(first)] = true } }
    self.begins = begins
  }

  /// The longest token that begins at a place.
  func longest(in bytes: [UInt8], at position: Int) -> (byteCount: Int, id: UInt32)? {
    guard begins[Int(bytes[position])] else { return nil }
    var range = texts.startIndex..<texts.endIndex
    var found: (byteCount: Int, id: UInt32)?
    var depth = 0
    while position + depth < bytes.count, !range.isEmpty {
      let byte = bytes[position + depth]
      // Those that go on with this byte: texts that end here come first in the range.
      let lower = first(in: range) { $0.count > depth && $0[depth] >= byte }
      let upper = first(in: lower..<range.upperBound) { $0.count > depth && $0[depth] > byte }
      range = lower..<upper
      depth += 1
      if let start = range.first, texts[start].count == depth { found = (depth, ids[start]) }
    }
    return found
  }

  /// The first place in a range from which on something holds.
  private func first(in range: Range<Int>, where holds: ([UInt8]) -> Bool) -> Int {
    var (low, high) = (range.lowerBound, range.upperBound)
    while low < high {
      let middle = (low + high) / 2
      if holds(texts[middle]) { high = middle } else { low = middle + 1 }
    }
    return low
  }
}
