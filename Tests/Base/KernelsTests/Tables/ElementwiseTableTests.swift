import Testing
import TestSupport

/// What is fused is stated: equal bits.
@Suite struct ElementwiseTableTests {
  @Test(arguments: KernelTable.all) func sumsAreThoseOfTheElements(table: KernelTable) {
    var generator = SeededGenerator(11)
    for count in oddCounts {
      for strange in [false, true] {
        func values() -> [Float] { strange ? Elements.anyFloats(count, &generator) : generator.normals(count) }
        let (x, y, factor) = (values(), values(), values())
        var found = x + [7]
        found.withUnsafeMutableBufferPointer { table.functions.sum_two($0.baseAddress!, $0.baseAddress!, y, count) }
        #expect(sameBits(found, Twin.sumTwo(x, y) + [7]))
        found = x + [7]
        found.withUnsafeMutableBufferPointer {
          table.functions.sum_three($0.baseAddress!, factor, y, $0.baseAddress!, count)
        }
        #expect(sameBits(found, Twin.sumThree(factor, y, x) + [7]))
        found = x + [7]
        table.functions.multiply_add(&found, y, factor, count)
        #expect(sameBits(found, Twin.multiplyAdd(x, y, factor) + [7]))
        found = x + [7]
        table.functions.combine(&found, 0.3, y, -1.7, count)
        #expect(sameBits(found, Twin.combine(x, 0.3, y, -1.7) + [7]))
      }
    }
  }

  @Test(arguments: KernelTable.all) func rotationsTurnPoints(table: KernelTable) {
    var generator = SeededGenerator(12)
    for half in oddCounts {
      let (cosine, sine) = (generator.normals(half), generator.normals(half))
      let x = generator.normals(2 * half)
      var found = x + [7]
      table.functions.rotate_halves(&found, cosine, sine, half)
      #expect(sameBits(found, Twin.rotateHalves(x, cosine, sine) + [7]))
      found = x + [7]
      table.functions.rotate_pairs(&found, cosine, sine, half)
      #expect(sameBits(found, Twin.rotatePairs(x, cosine, sine) + [7]))
    }
  }
}
