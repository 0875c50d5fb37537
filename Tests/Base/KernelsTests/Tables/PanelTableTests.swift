import Testing
import TestSupport

@Suite struct PanelTableTests {
  private let shapes = [(0, 5), (1, 1), (7, 15), (32, 16), (33, 17), (100, 31), (64, 32), (65, 32), (31, 32), (2, 0)]

  /// One chain of fused multiply-adds in ascending order: equal bits, for numbers of rows on both sides of any tile's.
  @Test(arguments: KernelTable.all) func panelProductIsOneChain(table: KernelTable) {
    var generator = SeededGenerator(23)
    for rows in [0, 1, 2, 5, 6, 7, 11, 12, 13, 25] {
      for (depth, columns) in shapes {
        let (aStride, cStride) = (depth + 3, columns + 2)
        let (a, panel) = (generator.normals(rows * aStride), generator.normals(depth * 32))
        let before = generator.normals(rows * cStride)
        var (found, alone) = (before, before)
        table.functions.panel_product(a, aStride, rows, panel, depth, &found, cStride, columns, 1)
        table.functions.panel_product(a, aStride, rows, panel, depth, &alone, cStride, columns, 0)
        var (expected, expectedAlone) = (before, before)
        for m in 0..<rows {
          for n in 0..<columns {
            let weights = (0..<depth).map { panel[$0 * 32 + n] }
            let row = Array(a[m * aStride..<m * aStride + depth])
            expected[m * cStride + n] = Twin.panelProduct(before[m * cStride + n], a: row, weights: weights)
            expectedAlone[m * cStride + n] = Twin.panelProduct(-0.0, a: row, weights: weights)
          }
        }
        #expect(sameBits(found, expected), "\(rows) rows, \(depth) x \(columns)")
        #expect(sameBits(alone, expectedAlone), "\(rows) rows, \(depth) x \(columns), overwritten")
      }
    }
  }

  @Test(arguments: KernelTable.all) func packingMovesEveryElement(table: KernelTable) {
    var generator = SeededGenerator(24)
    for (depth, columns) in shapes {
      for dtype in Elements.types {
        let stride = depth + 5
        let b = Elements.anyBits(columns * stride, dtype, &generator)
        var found = [Float](repeating: 7, count: depth * 32)
        table.functions.pack_rows(&found, b.bytes, dtype, stride, columns, depth)
        let expected = Twin.packRows(b.values, stride: stride, columns: columns, depth: depth)
        #expect(found.map(\.bitPattern) == expected.map(\.bitPattern), "\(dtype), \(depth) x \(columns)")
      }
      let stride = columns + 1
      let b = Elements.anyFloats(depth * stride, &generator)
      var found = [Float](repeating: 7, count: depth * 32)
      table.functions.pack_columns(&found, b, stride, columns, depth)
      let expected = Twin.packColumns(b, stride: stride, columns: columns, depth: depth)
      #expect(found.map(\.bitPattern) == expected.map(\.bitPattern), "columns, \(depth) x \(columns)")
    }
  }

  @Test(arguments: KernelTable.all) func pairsAreNeighbouringInputs(table: KernelTable) {
    var generator = SeededGenerator(25)
    for (depth, columns) in shapes {
      let stride = depth + 5
      let b = Elements.anyHalves(columns * stride, &generator)
      var found = [UInt16](repeating: 7, count: (depth + 1) / 2 * 64)
      table.functions.pack_pairs(&found, b, stride, columns, depth)
      #expect(found == Twin.packPairs(b, stride: stride, columns: columns, depth: depth), "\(depth) x \(columns)")
    }
    for count in oddCounts {
      let (even, odd) = (Elements.anyFloats(count, &generator), Elements.anyFloats(count, &generator))
      var found = [UInt16](repeating: 7, count: 2 * count)
      table.functions.pair_rows(&found, even, odd, count)
      #expect(found == Twin.pairRows(even, odd))
    }
  }

  /// An instruction may round a pair's sum in its own way: one rounding an input, of what the sum's parts are at most.
  @Test(arguments: KernelTable.all) func pairProductIsWithinItsRoundings(table: KernelTable) {
    var generator = SeededGenerator(26)
    for (rows, depth, columns) in [(1, 2, 1), (13, 64, 32), (5, 34, 17), (12, 32, 32), (3, 0, 4)] {
      let (aStride, cStride) = (depth + 2, columns + 1)
      let a = generator.normals(rows * aStride).map(Twin.narrowBF16)
      let panel = generator.normals(depth * 32).map(Twin.narrowBF16)
      let before = generator.normals(rows * cStride)
      for adds: Int32 in [1, 0] {
        var found = before
        table.functions.pair_product(a, aStride, rows, panel, depth, &found, cStride, columns, adds)
        for m in 0..<rows {
          for n in 0..<columns {
            let expected = Twin.pairProduct(
              adds == 1 ? before[m * cStride + n] : 0, a: Array(a[m * aStride..<m * aStride + depth]),
              weights: (0..<depth).map { panel[($0 / 2 * 32 + n) * 2 + $0 % 2] })
            let bound = Double(depth + 1) * 0x1p-24 * expected.magnitude
            #expect(abs(Double(found[m * cStride + n]) - expected.value) <= bound, "\(rows), \(depth) x \(columns)")
          }
          #expect(found[m * cStride + columns] == before[m * cStride + columns])
        }
      }
    }
  }

  /// Lanes and the order in which they are joined are documented: equal bits.
  @Test(arguments: KernelTable.all) func dotsOfRowsAreInLanes(table: KernelTable) {
    var generator = SeededGenerator(27)
    for depth in oddCounts where depth < 1000 {
      for dtype in Elements.types {
        let (rows, stride) = (3, depth + 1)
        let weights = Elements(generator.normals(rows * stride), dtype)
        let (x, before) = (generator.normals(depth), generator.normals(rows))
        var found = before
        table.functions.dot_rows(&found, weights.bytes, dtype, stride, rows, x, depth)
        let expected = (0..<rows).map { row in
          Twin.dotRows(before[row], weights: Array(weights.values[row * stride..<row * stride + depth]), x: x)
        }
        #expect(sameBits(found, expected), "\(dtype), \(depth)")
      }
    }
  }
}
