/// Merges of a byte-level BPE vocabulary: pairs of ids, each with its rank and result.
struct BytePairEncoder: Sendable {
  /// The token of each single byte.
  let byteTokens: [UInt32]
  let merges: MergeTable

  /// Appends the tokens of one piece. Of all pairs the one with the lowest rank is merged, the leftmost first, until none is
  /// left; time grows with n log n.
  func encode(_ piece: some Collection<UInt8>, into tokens: inout [UInt32]) {
    var symbols = piece.map { byteTokens[Int($0)] }
    guard symbols.count > 1 else {
      tokens += symbols
      return
    }
    // A list through the array: the number of the symbol before and behind; -1 at the ends.
    var next = Array(1...symbols.count)
    next[symbols.count - 1] = -1
    var previous = Array(-1..<symbols.count - 1)
    var isAlive = [Bool](repeating: true, count: symbols.count)
    var queue = MergeQueue()
    func candidate(_ left: Int, _ symbols: [UInt32], _ next: [Int]) -> MergeQueue.Entry? {
      guard left >= 0, next[left] >= 0 else { return nil }
      guard let merge = merges[symbols[left], symbols[next[left]]] else { return nil }
      return .init(
        rank: merge.rank, left: left, first: symbols[left], second: symbols[next[left]], result: merge.result)
    }
    for left in 0..<symbols.count - 1 { if let entry = candidate(left, symbols, next) { queue.push(entry) } }
    while let entry = queue.pop() {
      let left = entry.left
      // What was queued may have been merged away since.
      guard isAlive[left], symbols[left] == entry.first, next[left] >= 0, symbols[next[left]] == entry.second else {
        continue
      }
      let right = next[left]
      symbols[left] = entry.result
      isAlive[right] = false
      next[left] = next[right]
      if next[right] >= 0 { previous[next[right]] = left }
      if let entry = candidate(left, symbols, next) { queue.push(entry) }
      if let entry = candidate(previous[left], symbols, next) { queue.push(entry) }
    }
    for index in symbols.indices where isAlive[index] { tokens.append(symbols[index]) }
  }
}

/// A heap of merges that may be made: lowest rank first, then leftmost.
private struct MergeQueue {
  struct Entry {
    let rank: UInt32
    let left: Int
    let first: UInt32
    let second: UInt32
    let result: UInt32

    static func precedes(_ a: Entry, _ b: Entry) -> Bool { a.rank != b.rank ? a.rank < b.rank : a.left < b.left }
  }

  private var entries: [Entry] = []

  mutating func push(_ entry: Entry) {
    entries.append(entry)
    var child = entries.count - 1
    while child > 0, Entry.precedes(entries[child], entries[(child - 1) / 2]) {
      entries.swapAt(child, (child - 1) / 2)
      child = (child - 1) / 2
    }
  }

  mutating func pop() -> Entry? {
    guard let top = entries.first else { return nil }
    let last = entries.removeLast()
    guard !entries.isEmpty else { return top }
    entries[0] = last
    var parent = 0
    while true {
      var child = 2 * parent + 1
      guard child < entries.count else { return top }
      if child + 1 < entries.count, Entry.precedes(entries[child + 1], entries[child]) { child += 1 }
      guard Entry.precedes(entries[child], entries[parent]) else { return top }
      entries.swapAt(child, parent)
      parent = child
    }
  }
}
