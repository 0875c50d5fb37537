import CKernels
import Kernels
import Testing

/// Peaks do the work that they count: every sum shows it, exactly, as long as f32 has the bits.
@Suite struct PeakTableTests {
  @Test(arguments: KernelTable.all) func sumsAreOfAllThatIsCounted(table: KernelTable) {
    for rounds in [0, 1, 2, 3, 100, 257] {
      var (sum, pairs, dots) = (Float(7), Float(7), Int64(7))
      let products = table.functions.repeat_fma(rounds, 3, -0.5, &sum)
      #expect(Double(sum) == 7 + Twin.multiplyAdds(products, 3, -0.5))
      let inPairs = table.functions.repeat_pairs(rounds, 0x4040, 0xBF00, &pairs)  // 3 and -0.5
      #expect(Double(pairs) == 7 + Twin.multiplyAdds(inPairs, 3, -0.5))
      let inDots = table.functions.repeat_dots(rounds, 15, -127, &dots)
      #expect(Double(dots) == 7 + Twin.multiplyAdds(inDots, 15, -127))
      for count in [products, inPairs, inDots] { #expect((count == 0) == (rounds == 0) && count >= 12 * rounds) }
    }
  }

  @Test func pairsHaveAPeakWhereTheyHaveAnInstruction() {
    let peaks = InstructionPeaks()
    #expect(peaks.f32 > 0 && peaks.dots > 0)
    #expect((peaks.bf16 != nil) == PairProduct.isFast)
  }
}
