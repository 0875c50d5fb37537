import Foundation
import Kernels
import NetworkRuntime
import Testing
import TestSupport

@Suite struct AttentionTests {
  private struct Case {
    var batch = 1, queries = 5, keys = 5, heads = 2, keyHeads = 2, width = 8
    var isCausal = false
    var q: Int { batch * queries * heads * width }
    var k: Int { batch * keys * keyHeads * width }
  }

  /// The definition, in f64, with all scores at once.
  private func truth(_ c: Case, _ q: [Float], _ k: [Float], _ v: [Float]) -> [Double] {
    var out = [Double](repeating: 0, count: c.q)
    for b in 0..<c.batch {
      for head in 0..<c.heads {
        let keyHead = head / (c.heads / c.keyHeads)
        for i in 0..<c.queries {
          let seen = c.isCausal ? i + c.keys - c.queries + 1 : c.keys
          let query = ((b * c.queries + i) * c.heads + head) * c.width
          func key(_ j: Int) -> Int { ((b * c.keys + j) * c.keyHeads + keyHead) * c.width }
          let scores = (0..<seen).map { j in
            (0..<c.width).reduce(0.0) { $0 + Double(q[query + $1]) * Double(k[key(j) + $1]) }
              / Double(c.width).squareRoot()
          }
          let top = scores.max()!
          let weights = scores.map { exp($0 - top) }
          let sum = weights.reduce(0, +)
          for (j, weight) in weights.enumerated() {
            for d in 0..<c.width { out[query + d] += weight / sum * Double(v[key(j) + d]) }
          }
        }
      }
    }
    return out
  }

  private static let cases: [Case] = [
    Case(), Case(isCausal: true), Case(batch: 2, queries: 200, keys: 600, heads: 4, keyHeads: 2, width: 20),
    Case(queries: 300, keys: 700, heads: 3, keyHeads: 1, width: 34, isCausal: true),
    Case(queries: 1, keys: 513, heads: 1, keyHeads: 1, width: 64, isCausal: true),
    Case(queries: 193, keys: 193, heads: 1, keyHeads: 1, width: 512),
  ]

  @Test(arguments: Self.cases.indices) func equalsTheDefinition(number: Int) throws {
    let c = Self.cases[number]
    var generator = SeededGenerator(UInt64(number))
    // Large scores, so that the running maximum has work to do.
    let q = generator.normals(c.q).map { $0 * 3 }
    let (k, v) = (generator.normals(c.k), generator.normals(c.k))
    func y(_ threads: Int, inPlace: Bool) throws -> [Float] {
      try execute(threads: threads) { run in
        let query = run.input(q, batch: c.batch, width: c.queries, channels: c.heads * c.width)
        let key = run.input(k, batch: c.batch, width: c.keys, channels: c.keyHeads * c.width)
        let value = run.input(v, batch: c.batch, width: c.keys, channels: c.keyHeads * c.width)
        let out = inPlace ? query : run.take(like: query)
        let layer = Attention(path: "a", heads: c.heads, keyHeads: c.keyHeads, isCausal: c.isCausal)
        try run.attend(layer, q: query, k: key, v: value, into: out)
        return run.array(out)
      }
    }
    let one = try y(1, inPlace: false)
    #expect(relativeError(one, truth(c, q, k, v)) < 3e-6)
    #expect(try y(3, inPlace: true) == one)
  }

  private static let roundedCases: [Case] = [
    Case(queries: 64, keys: 5), Case(batch: 2, queries: 200, keys: 600, heads: 4, keyHeads: 2, width: 20),
    Case(queries: 131, keys: 257, heads: 3, keyHeads: 3, width: 64),
    Case(batch: 2, queries: 300, keys: 77, heads: 2, keyHeads: 2, width: 80),
  ]

  /// Signal to error, in dB, of an attention of a batch of normals.
  private func quality(
    _ c: Case, mode: ComputeMode, threads: Int, rounding: Attention.Rounding = .alike, size: Float = 1
  )
    throws -> (decibels: Double, output: [Float])
  {
    var generator = SeededGenerator(5)
    // A channel of the keys far from 0, as trained projections have.
    let (q, v) = (generator.normals(c.q).map { $0 * size }, generator.normals(c.k))
    let k = generator.normals(c.k).enumerated().map { $0 % c.width == 3 ? $1 + 4 : $1 }
    let output = try execute(threads: threads, mode: mode) { run in
      let query = run.input(q, batch: c.batch, width: c.queries, channels: c.heads * c.width)
      let key = run.input(k, batch: c.batch, width: c.keys, channels: c.keyHeads * c.width)
      let value = run.input(v, batch: c.batch, width: c.keys, channels: c.keyHeads * c.width)
      try run.attend(
        Attention(path: "a", heads: c.heads, keyHeads: c.keyHeads, rounding: rounding), q: query, k: key,
        v: value, into: query)
      return run.array(query)
    }
    let exact = truth(c, q, k, v)
    let (signal, error) = zip(output, exact).reduce((0, 0)) { sums, pair in
      (sums.0 + pair.1 * pair.1, sums.1 + (Double(pair.0) - pair.1) * (Double(pair.0) - pair.1))
    }
    return (decibels(signal, over: error), output)
  }

  @Test(arguments: Self.roundedCases.indices) func roundedStaysNearTheDefinition(number: Int) throws {
    let c = Self.roundedCases[number]
    let one = try quality(c, mode: .int8, threads: 1)
    #expect((36...60).contains(one.decibels), "\(one.decibels) dB")
    // Peaked, too.
    #expect(try quality(c, mode: .int8, threads: 1, size: 3).decibels > 30)
    for threads in [2, 3, 7] { #expect(try quality(c, mode: .int8, threads: threads).output == one.output) }
  }

  @Test func roundingIsAskedForByModeAndLayer() throws {
    let c = Case(queries: 70, keys: 70)
    let exact = try quality(c, mode: .f32, threads: 1)
    #expect(exact.decibels > 100)
    #expect(try quality(c, mode: .bf16, threads: 1).output == exact.output)
    #expect(try quality(c, mode: .int8, threads: 1, rounding: .visible).output == exact.output)
    let rounded = try quality(c, mode: .int8, threads: 1)
    #expect(rounded.output != exact.output)
    #expect(try quality(c, mode: .auto, threads: 1).output == exact.output)
    let automatic = try quality(c, mode: .auto, threads: 1, rounding: .hidden)
    #expect(automatic.output == (DotProduct.isFast ? rounded : exact).output)
    let weights = try [(8, Attention.Rounding.alike), (4, .hidden)].map { bits, rounding in
      (try quantized([Float](repeating: 1, count: 32), outputs: 1, inputs: 32, bits: bits).weight, rounding)
    }
    for (weight, rounding) in weights { #expect(Attention.Rounding(beside: [weight, weight]) == rounding) }
    #expect(Attention.Rounding(beside: weights.map(\.0)) == .alike)
    let plain = try weight([1], outputs: 1, inputs: 1)
    #expect(Attention.Rounding(beside: [weights[1].0, plain]) == .visible)
    // Few queries do not pay for rounding the keys.
    let few = Case(queries: 63, keys: 70)
    #expect(try quality(few, mode: .int8, threads: 1).output == quality(few, mode: .f32, threads: 1).output)
  }

  /// Scores near the largest f32: PyTorch gives the value of the largest score, and no NaN.
  @Test(arguments: [1, 3]) func largeScoresDoNotOverflow(threads: Int) throws {
    let c = Case(queries: 3, keys: 40, heads: 1, keyHeads: 1, width: 8)
    let q = [Float](repeating: 1e19, count: c.q)
    let k = (0..<c.k).map { Float($0 / 8 + 1) * 1e17 }
    let v = (0..<c.k).map { Float($0 / 8) }
    let y = try execute(threads: threads) { run in
      let query = run.input(q, batch: 1, width: c.queries, channels: c.width)
      let key = run.input(k, batch: 1, width: c.keys, channels: c.width)
      let value = run.input(v, batch: 1, width: c.keys, channels: c.width)
      let out = run.take(like: query)
      try run.attend(
        Attention(path: "a", heads: 1, keyHeads: 1, isCausal: false), q: query, k: key, v: value, into: out)
      return run.array(out)
    }
    #expect(y == [Float](repeating: 39, count: c.q))
  }

  private final class Counter: Observer {
    var operations = 0
    func willRun(_ operation: NetworkOperation, inputs: [Activation]?) { operations += operation.operationCount }
  }

  /// Pairs that are looked at: of n queries that see m keys causally, n m - n (n - 1) / 2.
  @Test(arguments: [(1, 513, 513), (3, 5, 12), (4, 4, 10)]) func causalPairsAreCounted(n: Int, m: Int, pairs: Int)
    throws
  {
    let counter = Counter()
    let run = try Execution(arenaByteCount: 1 << 20, threadCount: 1, observers: [counter])
    let (q, k) = (run.take(width: n, channels: 8), run.take(width: m, channels: 8))
    for x in [q, k] { run.fill(x) { $0.update(repeating: 1) } }
    try run.attend(Attention(path: "a", heads: 1, isCausal: true), q: q, k: k, v: k, into: q)
    #expect(counter.operations == 4 * 8 * pairs)
  }
}
