import CKernels
import Testing
import TestSupport

@Suite struct TileRoundingTableTests {
  private let sizes: [Float] = [1, 0, 1e-6, 3e-4, 900]

  /// Tiles as the twin rounds them: outputs beyond the last are 0.
  private func expected(outputs: Int, inputs: Int, _ value: (_ output: Int, _ input: Int) -> Float)
    -> (codes: [UInt8], scales: [UInt16])
  {
    let tiles = (inputs + 31) / 32
    var codes = [UInt8](repeating: 128, count: tiles * 512)
    var scales = [UInt16](repeating: 0, count: tiles * 16)
    for output in 0..<outputs {
      for tile in 0..<tiles {
        let columns = tile * 32..<min(inputs, tile * 32 + 32)
        let group = Twin.roundGroup(columns.map { value(output, $0) })
        scales[tile * 16 + output] = group.scale
        for (column, code) in zip(columns, group.codes) {
          codes[Twin.codePlace(row: output, column: column, bits: 8).byte] = code
        }
      }
    }
    return (codes, scales)
  }

  /// - Parameter areRows: whether outputs are the rows of what is rounded, or its columns.
  @Test(arguments: KernelTable.all, [true, false]) func outputsAreRoundedByGroups(table: KernelTable, areRows: Bool) {
    var generator = SeededGenerator(31)
    for (outputs, inputs) in [(1, 1), (16, 32), (16, 64), (7, 33), (15, 80), (16, 100)] {
      let (rows, columns) = areRows ? (outputs, inputs) : (inputs, outputs)
      let stride = columns + 5
      func output(_ index: Int) -> Int { areRows ? index / stride : index % stride }
      let x = generator.normals(rows * stride).enumerated().map { $1 * sizes[output($0) % sizes.count] }
      let wanted = expected(outputs: outputs, inputs: inputs) { areRows ? x[$0 * stride + $1] : x[$1 * stride + $0] }
      var codes = [UInt8](repeating: 7, count: wanted.codes.count)
      var scales = [UInt16](repeating: 7, count: wanted.scales.count)
      let round = areRows ? table.functions.round_rows : table.functions.round_columns
      round!(x, stride, rows, columns, &codes, &scales)
      #expect(codes == wanted.codes && scales == wanted.scales, "\(outputs) outputs, \(inputs) inputs")
    }
  }

  /// No code stands for what is no number: the scale tells.
  @Test(arguments: KernelTable.all) func whatHasNoScaleIsNotLost(table: KernelTable) {
    for lost in [Float.nan, -Float.nan, .infinity, 1e30] {
      var x = [Float](repeating: 1, count: 64)
      x[40] = lost
      var codes = [UInt8](repeating: 7, count: 512)
      var scales = [UInt16](repeating: 7, count: 16)
      table.functions.round_rows(x, 32, 2, 32, &codes, &scales)
      let scale = Twin.widenF16(scales[1])
      #expect(!scale.isFinite && Twin.widenF16(scales[0]) * 127 >= 1)
    }
  }
}
