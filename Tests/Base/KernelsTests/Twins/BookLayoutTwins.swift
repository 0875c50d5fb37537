extension Twin {
  /// Where the bits of a code of a stripe lie, the lowest first. What a tile has of each slice lies together: 8 or 4
  /// bits of a code, then 2, then 1. Elements lie in eight turns of 16 rows x 4 columns.
  static func bookPlaces(row: Int, column: Int, bits: Int) -> [(byte: Int, bit: Int)] {
    let (turn, place) = (column % 32 / 4, row * 4 + column % 4)
    var start = column / 32 * 64 * bits
    var places: [(byte: Int, bit: Int)] = []
    for width in [8, 4, 2] where bits & width != 0 {
      // So many turns share each byte.
      let sharing = 8 / width
      places += (0..<width).map { (start + turn / sharing * 64 + place, turn % sharing * width + $0) }
      start += 64 * width
    }
    // The last bit: 64 of a turn fill eight bytes.
    if bits % 2 == 1 { places.append((start + turn * 8 + place / 8, place % 8)) }
    return places
  }

  static func bookCode(_ codes: [UInt8], row: Int, column: Int, bits: Int) -> Int {
    bookPlaces(row: row, column: column, bits: bits).reversed().reduce(0) { code, place in
      2 * code + Int(codes[place.byte]) >> place.bit % 2
    }
  }

  /// The level of an element of a stripe with the shift of its group.
  static func bookLevel(_ codes: [UInt8], _ multiples: [UInt8], _ book: BookTwin, row: Int, column: Int) -> Int {
    book.levels[bookCode(codes, row: row, column: column, bits: book.bits)]
      + book.shift(multiples[column / book.group * 16 + row])
  }

  /// `[rows, columns]`.
  static func decodeBookStripe(
    _ codes: [UInt8], _ multiples: [UInt8], _ rowScales: [UInt16], _ book: BookTwin, rows: Int, columns: Int
  ) -> [Float] {
    (0..<rows).flatMap { row in
      (0..<columns).map { column in
        let multiple = book.multiple(multiples[column / book.group * 16 + row])
        let level = bookLevel(codes, multiples, book, row: row, column: column)
        return widenBF16(rowScales[row]) * Float(multiple * level)
      }
    }
  }

  /// `[columns, 32]`, of which the first 16 of each column are written.
  static func decodeBookPanel(
    _ codes: [UInt8], _ multiples: [UInt8], _ rowScales: [UInt16], _ book: BookTwin, columns: Int,
    into panel: [Float]
  ) -> [Float] {
    var panel = panel
    let values = decodeBookStripe(codes, multiples, rowScales, book, rows: 16, columns: columns)
    for column in 0..<columns {
      for row in 0..<16 { panel[column * 32 + row] = values[row * columns + column] }
    }
    return panel
  }
}
