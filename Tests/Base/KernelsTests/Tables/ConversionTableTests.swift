import Testing
import TestSupport

/// Conversions are exact, or rounded in one stated way: equal bits, those of NaN too.
@Suite struct ConversionTableTests {
  @Test(arguments: KernelTable.all) func everyHalfWidens(table: KernelTable) {
    let halves = Array(0...UInt16.max)
    var found = [Float](repeating: 0, count: halves.count)
    table.functions.widen_f16_f32(&found, halves, halves.count)
    #expect(found.map(\.bitPattern) == halves.map { Twin.widenF16($0).bitPattern })
    table.functions.widen_bf16_f32(&found, halves, halves.count)
    #expect(found.map(\.bitPattern) == halves.map { Twin.widenBF16($0).bitPattern })
  }

  /// Any bits, the middle between neighbours of both formats, and what lies next to it.
  @Test(arguments: KernelTable.all) func narrowingIsToTheNearest(table: KernelTable) {
    var generator = SeededGenerator(6)
    let ties = Elements.anyHalves(20_000, &generator).flatMap { half in
      let (f16, bf16) = (Twin.widenF16(half).bitPattern &+ 0x1000, UInt32(half) << 16 | 0x8000)
      return [f16 &- 1, f16, f16 &+ 1, bf16 - 1, bf16, bf16 + 1].map { Float(bitPattern: $0) }
    }
    let edges: [Float] = [
      0, -0.0, .infinity, -.infinity, 65504, 65519.996, 65520, 5.9604645e-8, 2.9802322e-8, 2.9802326e-8, .nan,
      .greatestFiniteMagnitude, -.greatestFiniteMagnitude, .leastNonzeroMagnitude,
    ]
    let values = Elements.anyFloats(100_000, &generator) + ties + edges
    var found = [UInt16](repeating: 0, count: values.count)
    table.functions.narrow_f32_f16(&found, values, values.count)
    #expect(found == values.map(Twin.narrowF16))
    table.functions.narrow_f32_bf16(&found, values, values.count)
    #expect(found == values.map(Twin.narrowBF16))
  }

  @Test(arguments: KernelTable.all) func tailsAreConvertedAndNothingBeyond(table: KernelTable) {
    var generator = SeededGenerator(7)
    for count in oddCounts {
      let halves = Elements.anyHalves(count, &generator)
      let floats = generator.normals(count)
      var wide = [Float](repeating: 7, count: count + 1)
      var narrow = [UInt16](repeating: 7, count: count + 1)
      table.functions.widen_f16_f32(&wide, halves, count)
      #expect(sameBits(wide, halves.map(Twin.widenF16) + [7]))
      table.functions.widen_bf16_f32(&wide, halves, count)
      #expect(sameBits(wide, halves.map(Twin.widenBF16) + [7]))
      table.functions.narrow_f32_f16(&narrow, floats, count)
      #expect(narrow == floats.map(Twin.narrowF16) + [7])
      table.functions.narrow_f32_bf16(&narrow, floats, count)
      #expect(narrow == floats.map(Twin.narrowBF16) + [7])
    }
  }

  @Test(arguments: KernelTable.all) func syntheticWeightsDependOnKeyAndIndex(table: KernelTable) {
    var generator = SeededGenerator(8)
    let normals = generator.normals(65_536)
    for count in oddCounts {
      let (key, first) = (generator.next(), generator.next() % 1_000_000)
      let columnScale = generator.normals(count)
      var found = [UInt16](repeating: 7, count: count + 1)
      table.functions.fill_normal_bf16(&found, count, key, first, normals, 0.02, columnScale)
      let expected = Twin.normalFill(
        key: key, firstIndex: first, normals: normals, scale: 0.02, columnScale: columnScale)
      #expect(found == expected + [7], "\(count)")
    }
  }
}
