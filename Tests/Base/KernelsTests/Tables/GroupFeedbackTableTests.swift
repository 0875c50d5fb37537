import CKernels
import Testing
import TestSupport

/// Groups guided by data: the trials, the order of the sums and what is not finite are documented, and every table gives the same bits.
@Suite struct GroupFeedbackTableTests {
  private let start = ck_error_sums(
    source_square: 1, coded_square: 2, product: 3, error_square: 4, largest_error: 1e-9)

  /// Compares every table with the twin, which is asked once.
  private func expectTwin(
    _ elements: Elements, bits: Int, rows: Int, columns: Int, segment: Int, stride: Int, importance: [Float],
    _ feedback: FeedbackTwin?, _ comment: Comment
  ) {
    let used = (0..<rows).flatMap { elements.values[$0 * stride..<$0 * stride + columns] }
    let expected = Twin.quantizeGuidedStripe(
      used, rows: rows, columns: columns, segment: segment, bits: bits, importance: importance, feedback: feedback,
      sums: start)
    let tiles = columns / segment * ((segment + 31) / 32)
    for table in KernelTable.all {
      var sums = start
      var codes = [UInt8](repeating: 0xEE, count: tiles * 64 * bits)
      var scales = [UInt16](repeating: 0xEEEE, count: tiles * 16)
      var work = [Float](repeating: .nan, count: tiles * 32 * 16)
      (feedback?.factors ?? []).flatMap { $0 }.withUnsafeBufferPointer { factors in
        var passing = ck_feedback(factors: factors.baseAddress, block: feedback?.block ?? 0)
        withUnsafePointer(to: &passing) { passing in
          table.functions.quantize_guided_stripe(
            elements.bytes, elements.dtype, stride, rows, columns, segment, Int32(bits), importance,
            feedback == nil ? nil : passing, &work, &codes, &scales, &sums)
        }
      }
      #expect(scales == expected.scales, "\(table.name): \(comment)")
      #expect(scales.allSatisfy { Twin.widenF16($0).isFinite }, "\(table.name): \(comment)")
      #expect(codes == expected.codes, "\(table.name): \(comment)")
      #expect(sameBits(sums, expected.sums), "\(table.name): \(comment)")
    }
  }

  @Test(arguments: [8, 4]) func groupsAreThoseOfTheSearchInOrder(bits: Int) {
    var generator = SeededGenerator(63)
    for (rows, columns, segment, block) in FeedbackTwin.shapes {
      let stride = columns + 3
      let importance = generator.normals(columns).map { $0 * $0 + 0.01 }
      for dtype in Elements.types {
        let elements = Elements(generator.normals(rows * stride), dtype)
        for feedback in [nil, FeedbackTwin(segment: segment, block: block, size: 0.2, &generator)] {
          expectTwin(
            elements, bits: bits, rows: rows, columns: columns, segment: segment, stride: stride,
            importance: importance, feedback,
            "\(rows) x \(columns), \(segment), \(feedback == nil ? 0 : block), \(dtype)")
        }
      }
    }
  }

  /// NaN, infinities, zeros, the ends of f32's range and of f16's, and factors under which errors grow until they are no numbers.
  @Test(arguments: [8, 4]) func strangeValuesFollowTheStatedRules(bits: Int) {
    var generator = SeededGenerator(64)
    let (rows, columns, segment, block) = (4, 140, 70, 32)
    let importance = generator.normals(columns).map { $0 * $0 + 0.01 }
    for (values, size, name) in FeedbackTwin.strangeCases(rows: rows, columns: columns, &generator) {
      let feedback = FeedbackTwin(segment: segment, block: block, size: size, &generator)
      expectTwin(
        Elements(values), bits: bits, rows: rows, columns: columns, segment: segment, stride: columns,
        importance: importance, feedback, "\(name)")
    }
  }
}
