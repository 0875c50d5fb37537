import CKernels

extension Twin {
  /// Quantizes a stripe in groups of 32 columns by what data says of the columns. Codes are those of a book of all integers, found in order
  /// under scales that groups have for themselves: of the trials of ``GroupSearchTwin``, at 4 bits refitted, and of the best of them refitted,
  /// the one whose weighted error is least; scales that are no numbers are passed over. Errors are counted against the values as they were.
  /// - Parameter feedback: nil where columns are rounded each for itself.
  static func quantizeGuidedStripe(
    _ values: [Float], rows: Int, columns: Int, segment: Int, bits: Int, importance: [Float], feedback: FeedbackTwin?,
    sums: ck_error_sums
  ) -> (codes: [UInt8], scales: [UInt16], sums: ck_error_sums) {
    let book = bits == 8 ? BookTwin(bits: 8, group: 32) : BookTwin(bits: 4, group: 32, levels: Array(-8...7))
    let groups = groupsOfRow(columns: columns, segment: segment, width: 32)
    var planes = BookPlanes(zerosOf: groups.count, book)
    var scales = [UInt16](repeating: 0, count: groups.count * 16)
    var errors = [[ErrorPairs]](repeating: [], count: groups.count)
    for row in 0..<rows {
      let plain = tamedByTile(Array(values[row * columns..<(row + 1) * columns]), segment: segment)
      let unit = unitOfRow(plain)
      let exact = plain.map { $0 * (1 / unit) }
      var rest = exact
      for (number, group) in groups.enumerated() {
        let used = group.column..<group.column + group.width
        let passed = feedback?.passed(within: group, segment: segment)
        let search = BookSearchTwin(
          values: Array(rest[used]), importance: Array(importance[used]), book: book, passed: passed)
        let scale = guidedScale(search, unit: unit)
        scales[number * 16 + row] = narrowF16(scale * unit)
        let alone = [[Float]](repeating: [Float](repeating: 0, count: group.width), count: group.width)
        let (codes, lost, _) = search.inOrder(passed ?? alone, scale: scale, shift: 0)
        planes.write(codes, of: group, row: row, bits: bits)
        errors[number].append(
          ErrorPairs(
            values: exact[used].map { Double($0) * Double(unit) },
            decoded: search.levels(codes, shift: 0).map { Double($0 * scale) * Double(unit) }))
        feedback?.pass(lost, of: group, segment: segment, onTo: &rest)
      }
    }
    var sums = sums
    for pairs in errors.joined() { addErrors(pairs.values, pairs.decoded, to: &sums) }
    return (planes.codes, scales, sums)
  }

  /// - Parameter unit: what the values are multiplied with before they are stored.
  private static func guidedScale(_ search: BookSearchTwin, unit: Float) -> Float {
    func stored(_ scale: Float) -> Float { Float(Float16(min(max(scale * unit, -65504), 65504))) * (1 / unit) }
    let low = Float(search.book.levels.first!)
    let plain = search.extreme * (1 / low)
    var best = stored(plain)
    var least = search.error(scale: best, shift: 0)
    func consider(_ scale: Float) {
      let error = search.error(scale: stored(scale), shift: 0)
      if error < least && !stored(scale).isNaN { (best, least) = (stored(scale), error) }
    }
    for trial in GroupSearchTwin.trials(bits: search.book.bits) {
      let scale = search.extreme * (1 / (low * trial))
      consider(search.book.bits == 4 ? search.refitted(scale, shift: 0).scale : scale)
    }
    consider(search.refitted(best, shift: 0).scale)
    if plain != 0 && (plain * unit).magnitude < 0x1p-20 {
      for step in 1...16 { consider((plain < 0 ? -0x1p-24 : 0x1p-24) * Float(step) * (1 / unit)) }
    }
    return best
  }
}
