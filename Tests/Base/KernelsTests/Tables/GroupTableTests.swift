import CKernels
import Testing
import TestSupport

/// The search, the layout and the order of the sums are documented: equal codes, scales and sums.
@Suite struct GroupTableTests {
  private let columnCounts = [1, 3, 31, 32, 33, 64, 100]

  private func expectTwin(
    _ table: KernelTable, _ elements: Elements, rows: Int, columns: Int, stride: Int, bits: Int, _ comment: Comment
  ) {
    let groups = (columns + 31) / 32
    let start = ck_error_sums(
      source_square: 1, coded_square: 2, product: 3, error_square: 4, largest_error: 1e-9)
    var codes = [UInt8](repeating: 0xEE, count: groups * 64 * bits)
    var scales = [UInt16](repeating: 0xEEEE, count: groups * 16)
    var sums = start
    table.functions.quantize_stripe(
      elements.bytes, elements.dtype, stride, rows, columns, Int32(bits), &codes, &scales, &sums)
    let used = (0..<rows).flatMap { elements.values[$0 * stride..<$0 * stride + columns] }
    let expected = Twin.quantizeStripe(used, rows: rows, columns: columns, bits: bits, sums: start)
    #expect(codes == expected.codes, comment)
    #expect(scales == expected.scales, comment)
    #expect(sameBits(sums, expected.sums), comment)
  }

  @Test(arguments: KernelTable.all, [8, 4]) func codesAndScalesAreThoseOfTheSearch(table: KernelTable, bits: Int) {
    var generator = SeededGenerator(18)
    for (rows, columns) in [(1, 1), (3, 31), (16, 32), (15, 33), (16, 100), (7, 3)] {
      let stride = columns + 3
      for dtype in Elements.types {
        let elements = Elements(generator.normals(rows * stride), dtype)
        expectTwin(
          table, elements, rows: rows, columns: columns, stride: stride, bits: bits, "\(rows) x \(columns), \(dtype)")
      }
    }
  }

  /// NaN, infinities, zeros, the ends of f32's range, and sizes at which f16 has few scales or none.
  @Test(arguments: KernelTable.all, [8, 4]) func strangeValuesFollowTheStatedRules(table: KernelTable, bits: Int) {
    var generator = SeededGenerator(19)
    let sizes: [Float] = [0, -0.0, 0x1p-133, 1e-30, 5e-8, 1e-7, 3e-7, 1e-6, 1e-5, 1e6, 1e30]
    for size in sizes {
      let elements = Elements(generator.normals(16 * 40).map { $0 * size })
      expectTwin(table, elements, rows: 16, columns: 40, stride: 40, bits: bits, "size \(size)")
    }
    var values = generator.normals(16 * 40)
    for index in values.indices where index % 11 == 0 { values[index] = [.nan, .infinity, -.infinity][index % 3] }
    for index in 0..<40 { values[index] = index % 2 == 0 ? .infinity : .nan }
    expectTwin(table, Elements(values), rows: 16, columns: 40, stride: 40, bits: bits, "not finite")
    expectTwin(
      table, Elements([Float](repeating: -3e38, count: 32)), rows: 1, columns: 32, stride: 32, bits: bits, "huge")
  }

  @Test(arguments: KernelTable.all, [8, 4]) func decodingIsTheFormula(table: KernelTable, bits: Int) {
    var generator = SeededGenerator(20)
    for columns in columnCounts {
      let groups = (columns + 31) / 32
      let codes = generator.bytes(groups * 64 * bits)
      let scales = Elements.anyHalves(groups * 16, &generator)
      for rows in [1, 5, 16] {
        let stride = columns + 2
        var found = [Float](repeating: 7, count: rows * stride)
        table.functions.decode_stripe(codes, scales, rows, columns, Int32(bits), &found, stride)
        let expected = Twin.decodeStripe(codes, scales, rows: rows, columns: columns, bits: bits)
        for row in 0..<rows {
          let line = Array(found[row * stride..<(row + 1) * stride])
          #expect(sameBits(line, expected[row * columns..<(row + 1) * columns] + [7, 7]), "\(columns) columns")
        }
      }
      let panel = [Float](repeating: 7, count: columns * 32)
      var found = panel
      table.functions.decode_panel(codes, scales, columns, Int32(bits), &found)
      #expect(sameBits(found, Twin.decodePanel(codes, scales, columns: columns, bits: bits, into: panel)))
    }
  }

  @Test(arguments: KernelTable.all) func activationsAreQuantizedByGroups(table: KernelTable) {
    var generator = SeededGenerator(21)
    for columns in columnCounts {
      let (rows, groups) = (3, (columns + 31) / 32)
      var x = generator.normals(rows * columns)
      for index in 0..<columns { x[index] = index % 3 == 0 ? 0 : Float(index % 255) / 2 }
      for index in columns..<2 * columns { x[index] = 0 }
      var codes = [Int8](repeating: 7, count: rows * groups * 32)
      var scales = [Float](repeating: 7, count: rows * groups)
      var sums = [Int32](repeating: 7, count: rows * groups)
      var halfSums = sums
      table.functions.quantize_activations(x, rows, columns, &codes, &scales, &sums, &halfSums)
      let expected = Twin.quantizeActivations(x, rowCount: rows, columns: columns)
      #expect(codes == expected.codes && sameBits(scales, expected.scales))
      #expect(sums == expected.sums && halfSums == expected.halfSums)
    }
  }

  /// One row of exact activations: in each group one chain over the columns, then the scale.
  @Test(arguments: KernelTable.all, [8, 4]) func aRowIsMultipliedWithCodesAsTheyLie(table: KernelTable, bits: Int) {
    var generator = SeededGenerator(24)
    for (outputs, columns) in [(1, 1), (16, 32), (17, 33), (64, 64), (70, 100), (150, 257)] {
      let groups = (columns + 31) / 32
      let tiles = (outputs + 15) / 16
      let codes = generator.bytes(tiles * groups * 64 * bits)
      let scales = generator.normals(tiles * groups * 16).map(Twin.narrowF16)
      let x = generator.normals(columns)
      let start = generator.normals(outputs + 1)
      var found = start
      table.functions.multiply_row(codes, scales, Int32(bits), x, columns, &found, outputs)
      for output in 0..<outputs {
        let tile = output / 16 * groups
        let expected = Twin.multiplyRow(
          x,
          codes: (0..<columns).map {
            Twin.code(
              Array(codes[tile * 64 * bits..<(tile + groups) * 64 * bits]), row: output % 16, column: $0, bits: bits)
              - 1 << (bits - 1)
          }, scales: (0..<groups).map { Twin.widenF16(scales[(tile + $0) * 16 + output % 16]) })
        #expect(found[output].bitPattern == (start[output] + expected).bitPattern, "\(outputs) x \(columns)")
      }
      #expect(found[outputs] == start[outputs])
    }
  }

  @Test(arguments: KernelTable.all, [8, 4]) func productsAreThoseOfTheCodes(table: KernelTable, bits: Int) {
    var generator = SeededGenerator(22)
    for c in ProductCase.all { product(c, table, bits, &generator) }
    // The largest sums that there are: nothing saturates.
    var extreme = SeededGenerator(23)
    product(ProductCase(rows: 5, outputs: 32, groups: 2), table, bits, &extreme, isExtreme: true)
  }

  private func product(
    _ c: ProductCase, _ table: KernelTable, _ bits: Int, _ generator: inout SeededGenerator, isExtreme: Bool = false
  ) {
    let groups = c.weightGroups
    let codes =
      isExtreme
      ? [UInt8](repeating: bits == 8 ? 0 : 0xFF, count: c.tiles * groups * 64 * bits)
      : generator.bytes(c.tiles * groups * 64 * bits)
    let scales = generator.normals(c.tiles * groups * 16).map(Twin.narrowF16)
    let values =
      isExtreme ? [Float](repeating: 1, count: c.heldGroups * 32) : generator.normals(c.heldGroups * 32)
    let activations = Twin.quantizeActivations(values, rowCount: 1, columns: c.heldGroups * 32)
    let found = codes.withUnsafeBufferPointer { codes in
      scales.withUnsafeBufferPointer { scales in
        c.product(of: activations, by: table.functions.matmul_tiles) { job in
          (job.codes, job.scales, job.bits) = (codes.baseAddress, scales.baseAddress, Int32(bits))
        }
      }
    }
    for row in 0..<c.rows {
      let places = c.places(ofRow: row)
      for output in 0..<c.outputs {
        // A tile's groups lie like the tiles of a stripe of its own.
        let tile = output / 16 * groups
        let stripe = Array(codes[tile * 64 * bits..<(tile + groups) * 64 * bits])
        let expected = Twin.groupProduct(
          weightCodes: (0..<groups * 32).map {
            Twin.code(stripe, row: output % 16, column: $0, bits: bits) - 1 << (bits - 1)
          },
          weightScales: (0..<groups).map { Twin.widenF16(scales[(tile + $0) * 16 + output % 16]) },
          activationCodes: places.flatMap { activations.codes[$0 * 32..<$0 * 32 + 32] },
          activationScales: places.map { activations.scales[$0] })
        #expect(found[row * c.outputStride + output].bitPattern == expected.bitPattern, "\(c.testDescription)")
      }
      #expect(found[row * c.outputStride + c.outputs] == 7)
    }
  }
}
