import Testing
import TestSupport

@Suite struct SoftmaxTableTests {
  /// Rows before and after one block.
  private struct Rows {
    var scores: [Float]
    var maxima: [Float]
    var sums: [Float]
    var output: [Float]
  }

  private func run(_ table: KernelTable, _ rows: Rows, lengths: [Int], width: Int, scale: Float) -> Rows {
    var rows = rows
    let count = lengths.count
    let (stride, outputStride) = (rows.scores.count / count, rows.output.count / count)
    table.functions.softmax_block(
      &rows.scores, stride, count, lengths, width, scale, &rows.maxima, &rows.sums, &rows.output, outputStride,
      outputStride - 1)
    return rows
  }

  /// Arguments of powers are below 20 here. Their rounding moves a power by up to 20 * 2^-23 = 2.4e-6, its own error of two units
  /// by 2.4e-7, and the sum of up to 300 in 16 lanes by 35 * 2^-24 = 2.1e-6 of itself.
  @Test(arguments: KernelTable.all) func aBlockIsThatOfTheDefinition(table: KernelTable) {
    var generator = SeededGenerator(17)
    let bound = 6e-6
    for width in [1, 2, 15, 16, 17, 33, 100, 300] {
      let (stride, outputStride, scale) = (width + 2, 6, Float(0.7))
      let lengths = [width, width / 2, 1, width + 5, 0]
      let before = Rows(
        scores: generator.normals(lengths.count * stride), maxima: [-.infinity, 0.5, -1, 9, 2],
        sums: [0, 1, 2, 3, 4], output: generator.normals(lengths.count * outputStride))
      let after = run(table, before, lengths: lengths, width: width, scale: scale)
      for (row, length) in lengths.enumerated() {
        let scores = Array(before.scores[row * stride..<row * stride + width])
        let expected = Twin.softmax(
          scores, length: min(length, width), scale: scale, maximum: before.maxima[row], sum: before.sums[row])
        let found = Array(after.scores[row * stride..<row * stride + width])
        #expect(within(found, expected.powers) { bound * $0 })
        #expect(after.maxima[row] == expected.maximum)
        #expect(abs(Double(after.sums[row]) - expected.sum) <= bound * expected.sum)
        for column in 0..<outputStride {
          let (old, new) = (before.output[row * outputStride + column], after.output[row * outputStride + column])
          // The last of each row is beyond the columns that count.
          let wanted = column == outputStride - 1 ? Double(old) : Double(old) * expected.shrink
          #expect(abs(Double(new) - wanted) <= bound * abs(wanted) + 1e-36)
        }
        // What lies between rows is left alone.
        let gap = row * stride + width..<(row + 1) * stride
        #expect(after.scores[gap] == before.scores[gap])
      }
      let plain = run(.portable, before, lengths: lengths, width: width, scale: scale)
      #expect(sameBits(after.scores, plain.scores) && sameBits(after.output, plain.output))
      #expect(sameBits(after.sums, plain.sums) && sameBits(after.maxima, plain.maxima))
    }
  }

  /// Rows before and after one block that is rounded.
  private struct RoundedRows {
    var maxima: [Float]
    var sums: [Float]
    var output: [Float]
    var codes: [Int8] = []
    var scales: [Float] = []
    var codeSums: [Int32] = []
  }

  private func round(
    _ table: KernelTable, _ scores: [Float], _ before: RoundedRows, width: Int, scale: Float
  ) -> RoundedRows {
    var rows = before
    let (count, groups) = (before.sums.count, (width + 31) / 32)
    rows.codes = [Int8](repeating: 7, count: count * groups * 32)
    rows.scales = [Float](repeating: 7, count: count * groups)
    rows.codeSums = [Int32](repeating: 7, count: count * groups)
    let outputStride = before.output.count / count
    table.functions.softmax_codes(
      scores, scores.count / count, count, width, scale, &rows.maxima, &rows.sums, &rows.output, outputStride,
      outputStride - 1, &rows.codes, &rows.scales, &rows.codeSums)
    return rows
  }

  /// A code is half a step from its power, and what powers may be off; steps are a 127th of the group's largest power.
  @Test(arguments: KernelTable.all) func powersAreRoundedByGroups(table: KernelTable) {
    var generator = SeededGenerator(18)
    let bound = 6e-6
    for width in [1, 2, 31, 32, 33, 64, 100, 256] {
      let (stride, outputStride, scale, groups) = (width + 2, 6, Float(0.7), (width + 31) / 32)
      let before = RoundedRows(
        maxima: [-.infinity, 0.5, -1, 9], sums: [0, 1, 2, 3], output: generator.normals(4 * outputStride))
      let scores = generator.normals(4 * stride).map { 3 * $0 }
      let after = round(table, scores, before, width: width, scale: scale)
      for row in 0..<4 {
        let own = Array(scores[row * stride..<row * stride + width])
        let expected = Twin.softmax(
          own, length: width, scale: scale, maximum: before.maxima[row], sum: before.sums[row])
        var sum = Double(before.sums[row]) * expected.shrink
        for group in 0..<groups {
          let columns = group * 32..<min(width, group * 32 + 32)
          let codes = after.codes[(row * groups + group) * 32..<(row * groups + group + 1) * 32].map(Int32.init)
          let step = expected.powers[columns].max()! / 127
          #expect(abs(Double(after.scales[row * groups + group]) - step) <= bound * step)
          for (column, power) in zip(columns, expected.powers[columns]) {
            let code = Double(codes[column - columns.lowerBound])
            #expect(abs(code - power / step) <= 0.5 + 127 * bound, "\(width), \(column)")
          }
          #expect(codes.max() == 127 && codes.dropFirst(columns.count).allSatisfy { $0 == 0 })
          #expect(after.codeSums[row * groups + group] == codes.reduce(0, +))
          sum += Double(codes.reduce(0, +)) * step
        }
        #expect(abs(Double(after.sums[row]) - sum) <= bound * sum)
        #expect(after.maxima[row] == expected.maximum)
        for column in 0..<outputStride {
          let (old, new) = (before.output[row * outputStride + column], after.output[row * outputStride + column])
          let wanted = column == outputStride - 1 ? Double(old) : Double(old) * expected.shrink
          #expect(abs(Double(new) - wanted) <= bound * abs(wanted) + 1e-36)
        }
      }
      let plain = round(.portable, scores, before, width: width, scale: scale)
      #expect(after.codes == plain.codes && sameBits(after.scales, plain.scales))
      #expect(sameBits(after.sums, plain.sums) && sameBits(after.output, plain.output))
      #expect(sameBits(after.maxima, plain.maxima) && after.codeSums == plain.codeSums)
    }
  }

  @Test(arguments: KernelTable.all) func aNaNAmongScoresIsNotLost(table: KernelTable) {
    for (width, place) in [(1, 0), (40, 3), (40, 39), (64, 63), (300, 298)] {
      for lost in [Float.nan, -Float.nan] {
        var scores = [Float](repeating: 1, count: 2 * width)
        scores[width + place] = lost
        let before = RoundedRows(maxima: [0, 0], sums: [1, 1], output: [1, 1, 1, 1])
        let after = round(table, scores, before, width: width, scale: 1)
        #expect(after.sums[0] > 1 && after.sums[1].isNaN, "\(width), \(place)")
      }
    }
  }
}
