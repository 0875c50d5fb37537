/// Pairs of ids that merge, each with its rank and result: a hash table in one run of memory, so that a file can hold it as
/// it is.
struct MergeTable: Sendable, Equatable {
  struct Merge: Sendable, Equatable {
    let left: UInt32
    let right: UInt32
    /// `emptyRank` in a free slot.
    let rank: UInt32
    let result: UInt32
  }

  static let emptyRank = UInt32.max
  /// A power of two; at most half are taken, so that every search ends.
  let slots: [Merge]

  /// - Parameter merges: in order of rank; of equal pairs the first counts. Nil where they crowd so much that searches would be long:
  ///   real ones never do.
  init?(_ merges: [Merge]) {
    var count = 2
    while count < 2 * merges.count { count *= 2 }
    let empty = Merge(left: 0, right: 0, rank: Self.emptyRank, result: 0)
    var slots = [Merge](repeating: empty, count: count)
    for merge in merges {
      var slot = Self.start(merge.left, merge.right, count: count)
      var run = 0
      while slots[slot].rank != Self.emptyRank {
        if slots[slot].left == merge.left && slots[slot].right == merge.right { break }
        slot = (slot + 1) & (count - 1)
        run += 1
        guard run <= Self.runLimit else { return nil }
      }
      if slots[slot].rank == Self.emptyRank { slots[slot] = merge }
    }
    self.slots = slots
  }

  /// Slots in a row that may be taken: what bounds a search. Half-full tables of this hash have runs of some dozens.
  private static let runLimit = 1024

  /// Slots as they were stored, or nil where they are no table of ids below `vocabularySize`, at most half full and without runs that
  /// would make searches long.
  init?(slots: [Merge], vocabularySize: Int) {
    guard slots.count >= 2, slots.count & (slots.count - 1) == 0 else { return nil }
    var taken = 0
    var run = 0
    for slot in slots {
      if slot.rank == Self.emptyRank {
        run = 0
      } else {
        taken += 1
        run += 1
      }
      guard run <= Self.runLimit, slot.left < vocabularySize, slot.right < vocabularySize, slot.result < vocabularySize
      else { return nil }
    }
    guard taken <= slots.count / 2 else { return nil }
    self.slots = slots
  }

  private static func start(_ left: UInt32, _ right: UInt32, count: Int) -> Int {
    let key = (UInt64(left) << 32 | UInt64(right)) &* 0x9E37_79B9_7F4A_7C15
    return Int(key >> 32) & (count - 1)
  }

  subscript(left: UInt32, right: UInt32) -> Merge? {
    var slot = Self.start(left, right, count: slots.count)
    while slots[slot].rank != Self.emptyRank {
      if slots[slot].left == left && slots[slot].right == right { return slots[slot] }
      slot = (slot + 1) & (slots.count - 1)
    }
    return nil
  }
}
