import CKernels

/// What columns pass on, block after block of a segment: `factors[b][k * size + c]` is the part of the error of column c of
/// block b that column k > c of it is lowered by.
struct FeedbackTwin {
  var factors: [[Float]]
  /// Columns of a block; the last of a segment may have fewer.
  var block: Int

  /// The block of a column of a segment, the column's place in it, and the columns of the block.
  func place(of column: Int, segment: Int) -> (block: Int, place: Int, size: Int) {
    let (number, place) = column.quotientAndRemainder(dividingBy: block)
    return (number, place, min(block, segment - number * block))
  }

  /// What the columns of a group pass on among themselves: `[c][k]`.
  func passed(within group: Twin.Group, segment: Int) -> [[Float]] {
    let (block, first, size) = place(of: group.column % segment, segment: segment)
    return (0..<group.width).map { c in
      (0..<group.width).map { k in k > c ? factors[block][(first + k) * size + first + c] : 0 }
    }
  }

  /// Each column of the rest of the block takes up the errors of the group in their order.
  func pass(_ lost: [Float], of group: Twin.Group, segment: Int, onTo rest: inout [Float]) {
    let (block, first, size) = place(of: group.column % segment, segment: segment)
    for k in first + group.width..<max(first + group.width, size) {
      for (c, error) in lost.enumerated() {
        rest[group.column - first + k].addProduct(-error, factors[block][k * size + first + c])
      }
    }
  }
}

/// Rounds one row, whose columns take up what those before them have lost.
private struct FeedbackRow {
  let book: BookTwin
  let segment: Int
  let importance: [Float]
  let feedback: FeedbackTwin
  /// Those with columns, by their numbers among all.
  let groups: [(number: Int, group: Twin.Group)]
  /// As they were, near 1.
  let values: [Float]

  struct Rounded {
    var byte: UInt8
    var codes: [Int]
    /// What the codes are read as.
    var decoded: [Float]
  }

  private func search(_ values: [Float], _ group: Twin.Group, passed: [[Float]]? = nil) -> BookSearchTwin {
    let columns = group.column..<group.column + group.width
    return BookSearchTwin(
      values: Array(values[columns]), importance: Array(importance[columns]), book: book, passed: passed)
  }

  private func scale(of choices: [BookSearchTwin.Choice]) -> Float { BookSearchTwin.best(of: choices).scale.magnitude }

  /// The largest scale of a group of the values as they were.
  var largestScale: Float { groups.map { scale(of: search(values, $0.group).freeChoices()) }.max() ?? 0 }

  /// Group after group is searched in what is left for it, each trial with its own errors passed on.
  /// - Returns: the groups, and the largest scale that one of them would have taken.
  func rounded(under rowScale: Float) -> (groups: [Rounded], wanted: Float) {
    var rest = values
    var (found, wanted) = ([Rounded](), Float(0))
    for (_, group) in groups {
      let passed = feedback.passed(within: group, segment: segment)
      let own = search(rest, group, passed: passed)
      let choices = own.freeChoices()
      wanted = max(wanted, scale(of: choices))
      let best = own.byte(near: choices, rowScale: rowScale)
      let (codes, lost, _) = own.inOrder(passed, scale: best.scale, shift: best.shift)
      let levels = own.levels(codes, shift: best.shift)
      found.append(Rounded(byte: best.byte, codes: codes, decoded: levels.map { $0 * best.scale }))
      feedback.pass(lost, of: group, segment: segment, onTo: &rest)
    }
    return (found, wanted)
  }
}

extension Twin {
  /// What the scale of a row is at first, beside that of the values as they were.
  static let feedbackRoom: Float = 1.06

  /// Quantizes a stripe as ``quantizeBookStripe(_:rows:columns:segment:_:importance:sums:)`` does, but that columns behind
  /// take up what a column has lost, as far as its block goes. The scale of a row is at first ``feedbackRoom`` times that of the
  /// values as they were. Where a group would then take a scale that is over 10 % larger, the row is begun anew under that, or one half as
  /// large again as before if that is less: six times at most. Errors are counted against the values as they were.
  static func feedBackBookStripe(
    _ values: [Float], rows: Int, columns: Int, segment: Int, _ book: BookTwin, importance: [Float],
    feedback: FeedbackTwin, sums: ck_error_sums
  ) -> (planes: BookPlanes, sums: ck_error_sums) {
    let groups = groupsOfRow(columns: columns, segment: segment, width: book.group)
    let used = groups.enumerated().filter { $1.width > 0 }.map { (number: $0.offset, group: $0.element) }
    var planes = BookPlanes(zerosOf: groups.count, book)
    var errors = [[ErrorPairs]](repeating: [], count: groups.count)
    for row in 0..<rows {
      let plain = tamedByTile(Array(values[row * columns..<(row + 1) * columns]), segment: segment)
      let unit = unitOfRow(plain)
      let own = FeedbackRow(
        book: book, segment: segment, importance: importance, feedback: feedback, groups: used,
        values: plain.map { $0 * (1 / unit) })
      var largest = own.largestScale * feedbackRoom
      var found: [FeedbackRow.Rounded] = []
      for _ in 1...6 {
        let rowScale = rowScale(atLeast: largest / Float(book.largestMultiple) * unit, book)
        planes.rowScales[row] = narrowBF16(rowScale)
        let rounded = own.rounded(under: rowScale * (1 / unit))
        found = rounded.groups
        guard rounded.wanted > largest * 1.1 else { break }
        largest = rounded.wanted < largest * 1.5 ? rounded.wanted : largest * 1.5
      }
      for ((number, group), rounded) in zip(used, found) {
        planes.multiples[number * 16 + row] = rounded.byte
        planes.write(rounded.codes, of: group, row: row, bits: book.bits)
        errors[number].append(
          ErrorPairs(
            values: own.values[group.column..<group.column + group.width].map { Double($0) * Double(unit) },
            decoded: rounded.decoded.map { Double($0) * Double(unit) }))
      }
    }
    var sums = sums
    for pairs in errors.joined() { addErrors(pairs.values, pairs.decoded, to: &sums) }
    return (planes, sums)
  }
}
