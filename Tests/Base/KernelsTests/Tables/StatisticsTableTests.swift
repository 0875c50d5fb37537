import CKernels
import Testing
import TestSupport

/// Every order of sums is documented: equal bits.
@Suite struct StatisticsTableTests {
  private let start = ck_stats(minimum: 1, maximum: 2, square_sum: 0.1, zero_count: 3, nonfinite_count: 4)

  private func expectEqual(_ found: ck_stats, _ expected: ck_stats, _ comment: Comment) {
    #expect(found.square_sum.bitPattern == expected.square_sum.bitPattern, comment)
    #expect(found.minimum == expected.minimum && found.maximum == expected.maximum, comment)
    #expect(found.zero_count == expected.zero_count, comment)
    #expect(found.nonfinite_count == expected.nonfinite_count, comment)
  }

  @Test(arguments: KernelTable.all) func statisticsAreThoseOfTheElements(table: KernelTable) {
    var generator = SeededGenerator(3)
    for count in oddCounts {
      var floats = Elements.anyFloats(count, &generator)
      var halves = Elements.anyHalves(count, &generator)
      if count > 2 {
        floats.replaceSubrange(0..<3, with: [0, -0.0, .nan])
        halves.replaceSubrange(0..<2, with: [0, 0x8000])
      }
      var found = start
      table.functions.stats_f32(&found, floats.map(\.bitPattern), count)
      expectEqual(found, Twin.statistics(start, floats), "f32, \(count)")
      found = start
      table.functions.stats_f16(&found, halves, count)
      expectEqual(found, Twin.statistics(start, halves.map(Twin.widenF16)), "f16, \(count)")
      found = start
      table.functions.stats_bf16(&found, halves, count)
      expectEqual(found, Twin.statistics(start, halves.map(Twin.widenBF16)), "bf16, \(count)")
    }
  }

  @Test(arguments: KernelTable.all) func differencesAreThoseOfTheElements(table: KernelTable) {
    var generator = SeededGenerator(4)
    var (found, expected) = (ck_diff(), ck_diff())
    for count in oddCounts {
      let a = count % 2 == 0 ? generator.normals(count) : Elements.anyFloats(count, &generator)
      var b = a
      for index in b.indices where generator.next() % 3 == 0 {
        b[index] = generator.next() % 5 == 0 ? [.nan, .infinity, -.infinity][index % 3] : b[index] * 1.01
      }
      table.functions.diff_f32(&found, a.map(\.bitPattern), b.map(\.bitPattern), count)
      expected = Twin.difference(expected, a, b)
      let sums = [\ck_diff.square_a, \.square_b, \.product, \.error_square, \.largest_error]
      #expect(sums.map { found[keyPath: $0].bitPattern } == sums.map { expected[keyPath: $0].bitPattern }, "\(count)")
      let counts = [\ck_diff.largest_error_index, \.element_count, \.nonfinite_mismatch_count, \.changed_count]
      #expect(counts.map { found[keyPath: $0] } == counts.map { expected[keyPath: $0] }, "\(count)")
    }
  }

  @Test(arguments: KernelTable.all) func nonfiniteValuesAreCounted(table: KernelTable) {
    var generator = SeededGenerator(5)
    for count in oddCounts {
      var values = Elements.anyFloats(count, &generator)
      for index in values.indices where index % 7 == 0 { values[index] = [.nan, .infinity, -.infinity][index % 3] }
      #expect(table.functions.count_nonfinite(values, count) == Twin.nonfiniteCount(values))
    }
  }
}
