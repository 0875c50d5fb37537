import CKernels
import Testing
import TestSupport

/// Functions in f32 against the C library's in f64.
@Suite struct FunctionTableTests {
  typealias Function = @convention(c) (UnsafeMutablePointer<Float>?, Int) -> Void
  typealias Gate =
    @convention(c) (
      UnsafeMutablePointer<Float>?, UnsafePointer<Float>?, UnsafePointer<Float>?, Int
    ) -> Void

  private let range = (0..<20_001).map { Float(-20 + Double($0) * 0.002) }
  private let strange: [Float] = [0, -0.0, 1e30, -1e30, 100, -100, 0x1p-133, .infinity, -.infinity, .nan]

  private func applied(_ function: Function, _ x: [Float]) -> [Float] {
    var x = x
    function(&x, x.count)
    return x
  }

  private func functions(_ table: KernelTable) -> [Function] {
    let functions = table.functions
    return [functions.exp, functions.silu, functions.gelu, functions.gelu_tanh]
  }

  /// Two units in the last place, over all exponents but those beyond which e^x is held.
  @Test(arguments: KernelTable.all) func powersAreWithinTwoUnits(table: KernelTable) {
    let x = (0..<35_001).map { Float(-87 + Double($0) * 0.005) }
    #expect(within(applied(table.functions.exp, x), x.map(Twin.exponential)) { 2 * Double(Float($0).ulp) })
  }

  /// Near 1 a unit of f32 is 1.2e-7: three for the power, its sum with 1 and the products.
  @Test(arguments: KernelTable.all) func functionsAreWithinAFewUnits(table: KernelTable) {
    let twins = [Twin.silu, Twin.gelu, Twin.geluTanh]
    for (function, twin) in zip(functions(table).dropFirst(), twins) {
      #expect(within(applied(function, range), range.map(twin)) { 4e-7 * max(1, abs($0)) })
    }
  }

  @Test(arguments: KernelTable.all) func gatesAreFunctionsTimesValues(table: KernelTable) {
    var generator = SeededGenerator(9)
    let gates: [(Gate, (Float, Float) -> Double)] = [
      (table.functions.silu_gate, Twin.siluGate), (table.functions.gelu_gate, Twin.geluGate),
    ]
    for (function, twin) in gates {
      for count in oddCounts {
        let (gate, value) = (generator.normals(count).map { 3 * $0 }, generator.normals(count))
        var out = [Float](repeating: 7, count: count)
        function(&out, gate, value, count)
        // As above, times the value, whose product is rounded once more.
        let bounds = zip(gate, value).map { 4.7e-7 * max(1, abs(Double($0))) * abs(Double($1)) + 1e-12 }
        let expected = zip(gate, value).map(twin)
        #expect(out.indices.allSatisfy { abs(Double(out[$0]) - expected[$0]) <= bounds[$0] })
        // out may be either operand.
        var (overGate, overValue) = (gate, value)
        overGate.withUnsafeMutableBufferPointer { function($0.baseAddress, $0.baseAddress, value, count) }
        overValue.withUnsafeMutableBufferPointer { function($0.baseAddress, gate, $0.baseAddress, count) }
        #expect(sameBits(overGate, out) && sameBits(overValue, out))
      }
    }
  }

  @Test(arguments: KernelTable.all) func allTablesGiveTheSameBits(table: KernelTable) {
    var generator = SeededGenerator(10)
    for count in oddCounts {
      let x = generator.normals(count).map { $0 * 30 } + strange
      for (function, plain) in zip(functions(table), functions(.portable)) {
        let found = applied(function, x)
        #expect(sameBits(found, applied(plain, x)))
        #expect(found.last?.isNaN == true)
      }
    }
  }

  @Test(arguments: KernelTable.all) func powersAreHeldAtTheEndsOfTheRange(table: KernelTable) {
    let found = applied(table.functions.exp, [100, .infinity, -100, -.infinity])
    #expect(found[0] == found[1] && found[0].isFinite && found[0] > 0x1p126)
    #expect(found[2] == found[3] && found[2] >= 0 && found[2] < 0x1p-124)
  }
}
