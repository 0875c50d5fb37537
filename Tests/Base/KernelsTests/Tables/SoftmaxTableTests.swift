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
}
