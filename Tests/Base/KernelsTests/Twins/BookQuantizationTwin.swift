import CKernels

extension Twin {
  /// The planes of a stripe.
  struct BookPlanes: Equatable {
    var codes: [UInt8]
    var multiples: [UInt8]
    var rowScales: [UInt16]

    init(codes: [UInt8], multiples: [UInt8], rowScales: [UInt16]) {
      (self.codes, self.multiples, self.rowScales) = (codes, multiples, rowScales)
    }

    /// A stripe of so many groups.
    init(zerosOf groups: Int, _ book: BookTwin) {
      codes = [UInt8](repeating: 0, count: groups / book.groupsOfTile * book.codeByteCount)
      multiples = [UInt8](repeating: 0, count: groups * 16)
      rowScales = [UInt16](repeating: 0, count: 16)
    }

    mutating func write(_ found: [Int], of group: Group, row: Int, bits: Int) {
      for (offset, code) in found.enumerated() {
        let places = Twin.bookPlaces(row: row, column: group.place + offset, bits: bits)
        for (bit, place) in places.enumerated() { codes[place.byte] |= UInt8(code >> bit & 1) << UInt8(place.bit) }
      }
    }
  }

  /// A group of one row: its first column in the stripe, the place of that in the planes, where tiles begin anew in
  /// each segment, and its width.
  struct Group {
    var column: Int
    var place: Int
    var width: Int
  }

  /// Groups in the order of the planes; beyond the columns they are empty.
  static func groupsOfRow(columns: Int, segment: Int, width: Int) -> [Group] {
    stride(from: 0, to: columns, by: segment).enumerated().flatMap { number, first in
      let padded = (segment + 31) / 32 * 32
      return stride(from: 0, to: padded, by: width).map { column in
        Group(column: first + column, place: number * padded + column, width: max(0, min(width, segment - column)))
      }
    }
  }

  /// Quantizes a stripe `[rows, columns]`, row after row: scales are found freely, the largest of a row gives the
  /// row's, with `room` for more, and bytes are sought near what was found. Errors are added group after group, in each row after row.
  static func quantizeBookStripe(
    _ values: [Float], rows: Int, columns: Int, segment: Int, _ book: BookTwin, importance: [Float]?,
    room: Float = 1, sums: ck_error_sums
  ) -> (planes: BookPlanes, sums: ck_error_sums) {
    let groups = groupsOfRow(columns: columns, segment: segment, width: book.group)
    var planes = BookPlanes(zerosOf: groups.count, book)
    var errors = [[ErrorPairs]](repeating: [], count: groups.count)
    for row in 0..<rows {
      let plain = tamedByTile(Array(values[row * columns..<(row + 1) * columns]), segment: segment)
      let unit = unitOfRow(plain)
      let normal = plain.map { $0 * (1 / unit) }
      let searches = groups.map { group in
        let used = group.column..<group.column + group.width
        return BookSearchTwin(
          values: group.width == 0 ? [] : Array(normal[used]),
          importance: group.width == 0 ? nil : importance.map { Array($0[used]) }, book: book)
      }
      let choices = searches.map { $0.freeChoices() }
      let largest = choices.reduce(0) { max($0, BookSearchTwin.best(of: $1).scale.magnitude) }
      let rowScale = rowScale(atLeast: largest * room / Float(book.largestMultiple) * unit, book)
      planes.rowScales[row] = narrowBF16(rowScale)
      for (number, group) in groups.enumerated() {
        let search = searches[number]
        let found = search.byte(near: choices[number], rowScale: rowScale * (1 / unit))
        planes.multiples[number * 16 + row] = found.byte
        let codes = search.codes(scale: found.scale, shift: found.shift)
        planes.write(codes, of: group, row: row, bits: book.bits)
        let levels = search.levels(codes, shift: found.shift)
        errors[number].append(
          ErrorPairs(
            values: search.values.map { Double($0) * Double(unit) },
            decoded: levels.map { Double($0 * found.scale) * Double(unit) }))
      }
    }
    var sums = sums
    for pairs in errors.joined() { addErrors(pairs.values, pairs.decoded, to: &sums) }
    return (planes, sums)
  }

  struct ErrorPairs {
    var values: [Double]
    var decoded: [Double]
  }

  /// What is not finite goes by its row of a tile of 32 columns, however wide groups are.
  static func tamedByTile(_ row: [Float], segment: Int) -> [Float] {
    stride(from: 0, to: row.count, by: segment).flatMap { first in
      stride(from: first, to: first + segment, by: 32).flatMap { column in
        GroupSearchTwin.tamed(Array(row[column..<min(column + 32, first + segment)]))
      }
    }
  }

  /// The power of two at or below the largest magnitude of a row, held where it and its reciprocal are normal numbers
  /// of f32.
  static func unitOfRow(_ row: [Float]) -> Float {
    let largest = row.map(\.magnitude).max() ?? 0
    if largest == 0 { return 1 }
    return Float(sign: .plus, exponent: min(max(Int(largest.exponent), -125), 125), significand: 1)
  }

  /// The least number of bf16 that is not below; at most the greatest under which nothing that a row can say is
  /// infinite.
  static func rowScale(atLeast value: Float, _ book: BookTwin) -> Float {
    let cut = UInt16(value.bitPattern >> 16)
    let above = widenBF16(widenBF16(cut) < value ? cut + 1 : cut)
    let greatest = Double(book.largestMultiple * book.end)
    var limit = UInt16(0x7F7F)
    while Double(widenBF16(limit)) * greatest > Double(Float.greatestFiniteMagnitude) { limit -= 1 }
    return min(above, widenBF16(limit))
  }
}
