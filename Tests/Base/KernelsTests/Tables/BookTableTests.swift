import CKernels
import Testing
import TestSupport

/// Codes with learned levels: the search, the layout and the order of the sums are documented, and every table gives
/// the same bits.
@Suite struct BookTableTests {
  struct Book: Sendable, CustomTestStringConvertible {
    var name: String
    var twin: BookTwin
    var testDescription: String { name }

    private static let sixteen = [-117, -84, -67, -53, -40, -28, -17, -7, 4, 14, 25, 37, 50, 66, 85, 110]
    private static let thirtyTwo = [
      -117, -95, -78, -69, -62, -55, -48, -43, -37, -32, -27, -22, -17, -13, -9, -4, 0, 5, 9, 14, 18, 23, 28, 33, 39,
      45, 51, 57, 67, 78, 88, 117,
    ]

    /// Those that are built in, and some that only files have: other numbers of shifts, levels on one side, sums at the
    /// ends.
    static let all = [
      Book(
        name: "3 bits",
        twin: BookTwin(bits: 3, group: 32, levels: [-95, -62, -37, -15, 8, 31, 60, 103], shifts: [0, 8, 16, 24])),
      Book(name: "4 bits", twin: BookTwin(bits: 4, group: 32, levels: sixteen, shifts: [0, 5, 10, 15])),
      Book(name: "4 bits, fine", twin: BookTwin(bits: 4, group: 16, levels: sixteen, shifts: [0, 5, 10, 15])),
      Book(name: "5 bits", twin: BookTwin(bits: 5, group: 32, levels: thirtyTwo, shifts: [0, 2, 4, 6])),
      Book(
        name: "6 bits",
        twin: BookTwin(bits: 6, group: 32, levels: Array(stride(from: -120, to: 72, by: 3)), shifts: [0, 1, 2, 3])),
      Book(name: "6 bits, fine, one shift", twin: BookTwin(bits: 6, group: 16, levels: Array(-30..<34), shifts: [2])),
      Book(name: "8 bits", twin: BookTwin(bits: 8, group: 32)),
      Book(name: "8 bits, fine", twin: BookTwin(bits: 8, group: 16)),
      Book(
        name: "3 bits, fine, one shift",
        twin: BookTwin(bits: 3, group: 16, levels: [-30, -20, -10, -5, 0, 40, 80, 120], shifts: [-7])),
      Book(name: "4 bits, one side", twin: BookTwin(bits: 4, group: 32, levels: Array(0..<16), shifts: [0, 1])),
      Book(
        name: "5 bits, fine, to the ends",
        twin: BookTwin(bits: 5, group: 16, levels: Array(-122..<(-106)) + Array(107...122), shifts: [-5, 5])),
    ]
  }

  private let columnCounts = [1, 3, 16, 17, 31, 32, 33, 64, 100]

  // MARK: Quantizing

  /// Compares every table with the twin, which is asked once.
  private func expectTwin(
    _ elements: Elements, _ book: BookTwin, rows: Int, columns: Int, segment: Int? = nil, stride: Int? = nil,
    importance: [Float]? = nil, _ comment: Comment
  ) {
    let (segment, stride) = (segment ?? columns, stride ?? columns)
    let start = ck_error_sums(
      source_square: 1, coded_square: 2, product: 3, error_square: 4, largest_error: 1e-9)
    let used = (0..<rows).flatMap { elements.values[$0 * stride..<$0 * stride + columns] }
    let expected = Twin.quantizeBookStripe(
      used, rows: rows, columns: columns, segment: segment, book, importance: importance, sums: start)
    let tiles = columns / segment * ((segment + 31) / 32)
    for table in KernelTable.all {
      var (raw, sums) = (book.raw, start)
      var found = Twin.BookPlanes(
        codes: [UInt8](repeating: 0xEE, count: tiles * book.codeByteCount),
        multiples: [UInt8](repeating: 0xEE, count: tiles * book.groupsOfTile * 16),
        rowScales: [UInt16](repeating: 0xEEEE, count: 16))
      var work = [Float](repeating: .nan, count: tiles * book.groupsOfTile * Int(CK_BOOK_WORK))
      // An array where none is asked for would be one of no elements.
      (importance ?? []).withUnsafeBufferPointer { counts in
        table.functions.quantize_book_stripe(
          elements.bytes, elements.dtype, stride, rows, columns, segment, &raw,
          importance == nil ? nil : counts.baseAddress, &work, &found.codes, &found.multiples, &found.rowScales, &sums)
      }
      #expect(found.rowScales == expected.planes.rowScales, "\(table.name): \(comment)")
      #expect(found.multiples == expected.planes.multiples, "\(table.name): \(comment)")
      #expect(found.codes == expected.planes.codes, "\(table.name): \(comment)")
      #expect(sameBits(sums, expected.sums), "\(table.name): \(comment)")
    }
  }

  @Test(arguments: Book.all) func planesAreThoseOfTheSearch(book: Book) {
    var generator = SeededGenerator(40)
    for (rows, columns, segment) in [
      (1, 1, 1), (3, 31, 31), (16, 32, 32), (15, 33, 33), (16, 100, 100), (7, 3, 3), (5, 120, 40), (2, 144, 16),
      (4, 51, 17),
    ] {
      let stride = columns + 3
      let importance = generator.normals(columns).map { $0 * $0 + 0.01 }
      for dtype in Elements.types {
        let elements = Elements(generator.normals(rows * stride), dtype)
        expectTwin(
          elements, book.twin, rows: rows, columns: columns, segment: segment, stride: stride,
          importance: dtype == Int32(CK_BF16) ? nil : importance, "\(rows) x \(columns), \(segment), \(dtype)")
      }
    }
  }

  /// NaN, infinities, zeros, and the ends of f32's range, alone and in one row.
  @Test(arguments: Book.all) func strangeValuesFollowTheStatedRules(book: Book) {
    var generator = SeededGenerator(41)
    let sizes: [Float] = [0, -0.0, 0x1p-149, 0x1p-140, 0x1p-133, 0x1p-126, 1e-30, 1e-7, 1e7, 1e30, 3e37]
    for size in sizes {
      let values = generator.normals(6 * 40).map { $0 * size }
      expectTwin(Elements(values), book.twin, rows: 6, columns: 40, "size \(size)")
    }
    var values = generator.normals(6 * 70)
    for index in values.indices where index % 11 == 0 { values[index] = [.nan, .infinity, -.infinity][index % 3] }
    for index in 0..<70 { values[index] = index % 2 == 0 ? .infinity : .nan }
    // Infinity in a tile of small values, beside one of large values.
    for index in 70..<102 { values[index] = index == 75 ? -.infinity : values[index] * 1e-3 }
    expectTwin(Elements(values), book.twin, rows: 6, columns: 70, "not finite")
    // Groups of one row whose sizes are far apart.
    for (index, size) in [Float(1), 1e-3, 1e-20, 0x1p-140, 0, 1e3, 1e38].enumerated() {
      for column in 0..<10 { values[index * 10 + column] = generator.normals(1)[0] * size }
    }
    expectTwin(Elements(values), book.twin, rows: 6, columns: 70, "sizes of one row")
    for value in [Float.greatestFiniteMagnitude, -3e38, 2e38, 0x1p-149] {
      expectTwin(
        Elements([Float](repeating: value, count: 48)), book.twin, rows: 1, columns: 48, "all \(value)")
    }
  }

  // MARK: Decoding

  private func randomPlanes(_ book: BookTwin, tiles: Int, stripes: Int, _ generator: inout SeededGenerator)
    -> Twin.BookPlanes
  {
    Twin.BookPlanes(
      codes: generator.bytes(tiles * book.codeByteCount), multiples: generator.bytes(tiles * book.groupsOfTile * 16),
      rowScales: generator.normals(stripes * 16).map(Twin.narrowBF16))
  }

  @Test(arguments: KernelTable.all, Book.all) func decodingIsTheFormula(table: KernelTable, book: Book) {
    var generator = SeededGenerator(42)
    let twin = book.twin
    for columns in columnCounts {
      var planes = randomPlanes(twin, tiles: (columns + 31) / 32, stripes: 1, &generator)
      // Any scale at all, also such as are not finite.
      planes.rowScales = Elements.anyHalves(16, &generator)
      for rows in [1, 5, 16] {
        let stride = columns + 2
        var found = [Float](repeating: 7, count: rows * stride)
        planes.withStripe(twin) { table.functions.decode_book_stripe($0, $1, rows, columns, &found, stride) }
        let expected = Twin.decodeBookStripe(
          planes.codes, planes.multiples, planes.rowScales, twin, rows: rows, columns: columns)
        for row in 0..<rows {
          let line = Array(found[row * stride..<(row + 1) * stride])
          #expect(sameBits(line, expected[row * columns..<(row + 1) * columns] + [7, 7]), "\(columns) columns")
        }
      }
      let panel = [Float](repeating: 7, count: columns * 32)
      var found = panel
      planes.withStripe(twin) { table.functions.decode_book_panel($0, $1, columns, &found) }
      let expected = Twin.decodeBookPanel(
        planes.codes, planes.multiples, planes.rowScales, twin, columns: columns, into: panel)
      #expect(sameBits(found, expected), "\(columns) columns")
    }
  }

  // MARK: Products

  /// The planes of the tiles of sixteen outputs, as a stripe of its own.
  private func stripe(_ tile: Int, of planes: Twin.BookPlanes, _ book: BookTwin, groups: Int) -> Twin.BookPlanes {
    let (codes, multiples) = (groups * book.codeByteCount, groups * book.groupsOfTile * 16)
    return Twin.BookPlanes(
      codes: Array(planes.codes[tile * codes..<(tile + 1) * codes]),
      multiples: Array(planes.multiples[tile * multiples..<(tile + 1) * multiples]),
      rowScales: Array(planes.rowScales[tile * 16..<(tile + 1) * 16]))
  }

  /// The weights of one output of a stripe.
  private func weights(
    _ row: Int, of stripe: Twin.BookPlanes, _ book: BookTwin, columns: Int
  ) -> (levels: [Int], multiples: [Int], rowScale: Float) {
    (
      (0..<columns).map { Twin.bookLevel(stripe.codes, stripe.multiples, book, row: row, column: $0) },
      (0..<columns / book.group).map { book.multiple(stripe.multiples[$0 * 16 + row]) },
      Twin.widenBF16(stripe.rowScales[row])
    )
  }

  /// One row of exact activations: in each group one chain over the columns, then the multiple; the row's scale last.
  @Test(arguments: KernelTable.all, Book.all) func aRowIsMultipliedWithCodesAsTheyLie(table: KernelTable, book: Book) {
    var generator = SeededGenerator(43)
    let twin = book.twin
    for (outputs, columns) in [(1, 1), (16, 32), (17, 33), (64, 64), (70, 100), (150, 145)] {
      let (groups, tiles) = ((columns + 31) / 32, (outputs + 15) / 16)
      let planes = randomPlanes(twin, tiles: tiles * groups, stripes: tiles, &generator)
      let x = generator.normals(columns)
      let start = generator.normals(outputs + 1)
      var found = start
      planes.withStripe(twin) { table.functions.multiply_book_row($0, $1, x, columns, &found, outputs) }
      let stripes = (0..<tiles).map { stripe($0, of: planes, twin, groups: groups) }
      for output in 0..<outputs {
        let weights = weights(output % 16, of: stripes[output / 16], twin, columns: groups * 32)
        let expected = Twin.multiplyBookRow(
          x, levels: weights.levels, multiples: weights.multiples, group: twin.group, rowScale: weights.rowScale)
        #expect(found[output].bitPattern == (start[output] + expected).bitPattern, "\(outputs) x \(columns)")
      }
      #expect(found[outputs] == start[outputs])
    }
  }

  private func expectProduct(
    _ c: ProductCase, _ planes: Twin.BookPlanes, _ activations: Twin.QuantizedActivations, _ book: BookTwin,
    _ table: KernelTable, _ comment: Comment? = nil
  ) {
    let found = planes.withStripe(book) { stripe, book in
      c.product(of: activations, by: table.functions.book_tiles) { job in
        (job.codes, job.byte_scales, job.row_scales) = (
          stripe.pointee.codes, stripe.pointee.scales, stripe.pointee.row_scales
        )
        job.book = book
      }
    }
    let groups = c.weightGroups
    let stripes = (0..<c.tiles).map { stripe($0, of: planes, book, groups: groups) }
    for output in 0..<c.outputs {
      let weights = weights(output % 16, of: stripes[output / 16], book, columns: groups * 32)
      for row in 0..<c.rows {
        let places = c.places(ofRow: row)
        let expected = Twin.bookProduct(
          levels: weights.levels, multiples: weights.multiples, group: book.group, rowScale: weights.rowScale,
          activationCodes: places.flatMap { activations.codes[$0 * 32..<$0 * 32 + 32] },
          activationScales: places.map { activations.scales[$0] })
        #expect(
          found[row * c.outputStride + output].bitPattern == expected.bitPattern,
          comment ?? "\(c.testDescription), output \(output)")
      }
    }
    for row in 0..<c.rows { #expect(found[row * c.outputStride + c.outputs] == 7) }
  }

  @Test(arguments: KernelTable.all, Book.all) func productsAreThoseOfTheLevels(table: KernelTable, book: Book) {
    var generator = SeededGenerator(44)
    for c in ProductCase.all {
      let planes = randomPlanes(book.twin, tiles: c.tiles * c.weightGroups, stripes: c.tiles, &generator)
      let activations = Twin.quantizeActivations(
        generator.normals(c.heldGroups * 32), rowCount: 1, columns: c.heldGroups * 32)
      expectProduct(c, planes, activations, book.twin, table)
    }
  }

  /// Levels at either end, under every shift and sign of the multiple, times activations at either end: nothing
  /// saturates, and sums that f32 has to round are rounded alike.
  @Test(arguments: KernelTable.all, Book.all) func theLargestSumsAreExact(table: KernelTable, book: Book) {
    let twin = book.twin
    for c in [ProductCase(rows: 1, outputs: 32, groups: 2), ProductCase(rows: 5, outputs: 32, groups: 2)] {
      for codes in [UInt8(0), 0xFF] {
        for shift in twin.shifts.indices {
          let magnitude = UInt8(shift * (twin.largestMultiple + 1) + twin.largestMultiple)
          for multiple in [magnitude, magnitude | 0x80] {
            for sign in [Float(1), -1] {
              let tiles = c.tiles * c.weightGroups
              let planes = Twin.BookPlanes(
                codes: [UInt8](repeating: codes, count: tiles * twin.codeByteCount),
                multiples: [UInt8](repeating: multiple, count: tiles * twin.groupsOfTile * 16),
                rowScales: [UInt16](repeating: Twin.narrowBF16(1), count: c.tiles * 16))
              let activations = Twin.quantizeActivations(
                [Float](repeating: sign, count: c.heldGroups * 32), rowCount: 1, columns: c.heldGroups * 32)
              expectProduct(
                c, planes, activations, twin, table, "codes \(codes), multiple \(multiple), activations \(sign)")
            }
          }
        }
      }
    }
  }
}

extension Twin.BookPlanes {
  /// Calls with the planes and the book as the C functions take them.
  func withStripe<Result>(
    _ book: BookTwin, _ body: (UnsafePointer<ck_book_stripe>, UnsafePointer<ck_book>) -> Result
  ) -> Result {
    codes.withUnsafeBufferPointer { codes in
      multiples.withUnsafeBufferPointer { multiples in
        rowScales.withUnsafeBufferPointer { rowScales in
          var stripe = ck_book_stripe(
            codes: codes.baseAddress, scales: multiples.baseAddress, row_scales: rowScales.baseAddress)
          var raw = book.raw
          return body(&stripe, &raw)
        }
      }
    }
  }
}
