import CKernels
import Testing
import TestSupport

/// Feeding errors back along the columns: blocks, the order of the sums and what is not finite are documented, and every
/// table gives the same bits.
@Suite struct BookFeedbackTableTests {
  private let start = ck_error_sums(
    source_square: 1, coded_square: 2, product: 3, error_square: 4, largest_error: 1e-9)

  private func found(
    _ elements: Elements, _ book: BookTwin, rows: Int, columns: Int, segment: Int, stride: Int, importance: [Float],
    _ feedback: FeedbackTwin, by table: KernelTable
  ) -> (planes: Twin.BookPlanes, sums: ck_error_sums) {
    let tiles = columns / segment * ((segment + 31) / 32)
    var (raw, sums) = (book.raw, start)
    var planes = Twin.BookPlanes(
      codes: [UInt8](repeating: 0xEE, count: tiles * book.codeByteCount),
      multiples: [UInt8](repeating: 0xEE, count: tiles * book.groupsOfTile * 16),
      rowScales: [UInt16](repeating: 0xEEEE, count: 16))
    var work = [Float](repeating: .nan, count: tiles * 32 * 16)
    feedback.factors.flatMap { $0 }.withUnsafeBufferPointer { factors in
      var passing = ck_feedback(factors: factors.baseAddress, block: feedback.block)
      table.functions.feed_back_book_stripe(
        elements.bytes, elements.dtype, stride, rows, columns, segment, &raw, importance, &passing, &work,
        &planes.codes, &planes.multiples, &planes.rowScales, &sums)
    }
    return (planes, sums)
  }

  /// Compares every table with the twin, which is asked once.
  private func expectTwin(
    _ elements: Elements, _ book: BookTwin, rows: Int, columns: Int, segment: Int, stride: Int, importance: [Float],
    _ feedback: FeedbackTwin, _ comment: Comment
  ) {
    let used = (0..<rows).flatMap { elements.values[$0 * stride..<$0 * stride + columns] }
    let expected = Twin.feedBackBookStripe(
      used, rows: rows, columns: columns, segment: segment, book, importance: importance, feedback: feedback,
      sums: start)
    for table in KernelTable.all {
      let found = found(
        elements, book, rows: rows, columns: columns, segment: segment, stride: stride, importance: importance,
        feedback, by: table)
      #expect(found.planes.rowScales == expected.planes.rowScales, "\(table.name): \(comment)")
      #expect(found.planes.multiples == expected.planes.multiples, "\(table.name): \(comment)")
      #expect(found.planes.codes == expected.planes.codes, "\(table.name): \(comment)")
      #expect(sameBits(found.sums, expected.sums), "\(table.name): \(comment)")
    }
  }

  @Test(arguments: BookTableTests.Book.all) func columnsBehindTakeUpWhatIsLost(book: BookTableTests.Book) {
    var generator = SeededGenerator(60)
    for (rows, columns, segment, block) in FeedbackTwin.shapes {
      let stride = columns + 3
      let importance = generator.normals(columns).map { $0 * $0 + 0.01 }
      for dtype in Elements.types {
        let elements = Elements(generator.normals(rows * stride), dtype)
        let feedback = FeedbackTwin(segment: segment, block: block, size: 0.2, &generator)
        expectTwin(
          elements, book.twin, rows: rows, columns: columns, segment: segment, stride: stride,
          importance: importance, feedback, "\(rows) x \(columns), \(segment), \(block), \(dtype)")
      }
    }
  }

  /// NaN, infinities, zeros, the ends of f32's range, and factors under which errors grow until they are no numbers.
  @Test(arguments: BookTableTests.Book.all) func strangeValuesFollowTheStatedRules(book: BookTableTests.Book) {
    var generator = SeededGenerator(61)
    let (rows, columns, segment, block) = (4, 140, 70, 32)
    let importance = generator.normals(columns).map { $0 * $0 + 0.01 }
    for (values, size, name) in FeedbackTwin.strangeCases(rows: rows, columns: columns, &generator) {
      let feedback = FeedbackTwin(segment: segment, block: block, size: size, &generator)
      expectTwin(
        Elements(values), book.twin, rows: rows, columns: columns, segment: segment, stride: columns,
        importance: importance, feedback, "\(name)")
    }
  }

  /// Where nothing is passed on, columns are rounded as if each stood for itself, under scales of rows with room.
  @Test(arguments: KernelTable.all, BookTableTests.Book.all) func withoutFactorsItIsTheWeightedSearch(
    table: KernelTable, book: BookTableTests.Book
  ) {
    var generator = SeededGenerator(62)
    for (rows, columns, segment, block) in FeedbackTwin.shapes {
      let importance = generator.normals(columns).map { $0 * $0 + 0.01 }
      let values = generator.normals(rows * columns)
      let expected = Twin.quantizeBookStripe(
        values, rows: rows, columns: columns, segment: segment, book.twin, importance: importance,
        room: Twin.feedbackRoom, sums: start)
      let found = found(
        Elements(values), book.twin, rows: rows, columns: columns, segment: segment, stride: columns,
        importance: importance, FeedbackTwin(segment: segment, block: block, size: 0, &generator), by: table)
      #expect(found.planes == expected.planes, "\(rows) x \(columns), \(segment), \(block)")
      #expect(sameBits(found.sums, expected.sums), "\(rows) x \(columns), \(segment), \(block)")
    }
  }
}
