import Kernels
import NetworkRuntime
import Tensors
import Testing
import TestSupport

@Suite struct ConvolutionTests {
  /// Weights from memory, by name.
  private struct Source: WeightSource {
    let path = "memory"
    let weights: [String: [Float]]
    var bits: Int?
    var order = TileLayout.ColumnOrder.source

    func has(_ name: String) -> Bool { weights[name] != nil }
    func weight(_ name: String, shape: [Int]) throws -> Weight {
      let inputs = shape.dropFirst().reduce(1, *)
      if let bits {
        return try quantized(
          weights[name]!, outputs: shape[0], inputs: inputs, bits: bits, taps: shape[2] * shape[3], order: order
        ).weight
      }
      return try NetworkRuntimeTests.weight(weights[name]!, outputs: shape[0], inputs: inputs)
    }
    func vector(_ name: String, shape: [Int]) throws -> Vector { try NetworkRuntimeTests.vector(weights[name]!) }
  }

  private struct Case {
    var batch = 2, height = 7, width = 5, channels = 6, outputs = 9, stride = 1
    var isDoubled = false
    var hasNorm = false
  }

  /// The definition, in f64. x is channels last, w `[outputs, channels, 3, 3]`.
  private func truth(_ c: Case, _ x: [Double], _ w: [Float], _ bias: [Float]) -> [Double] {
    let (h, v) = (c.isDoubled ? 2 * c.height : c.height, c.isDoubled ? 2 * c.width : c.width)
    let (oh, ow) = ((h - 1) / c.stride + 1, (v - 1) / c.stride + 1)
    var out: [Double] = []
    for b in 0..<c.batch {
      for y in 0..<oh {
        for z in 0..<ow {
          for o in 0..<c.outputs {
            var sum = Double(bias[o])
            for i in 0..<c.channels {
              for ky in 0..<3 {
                for kx in 0..<3 {
                  let (sy, sx) = (y * c.stride + ky - 1, z * c.stride + kx - 1)
                  guard (0..<h).contains(sy), (0..<v).contains(sx) else { continue }
                  let (py, px) = c.isDoubled ? (sy / 2, sx / 2) : (sy, sx)
                  sum +=
                    x[((b * c.height + py) * c.width + px) * c.channels + i]
                    * Double(w[(o * c.channels + i) * 9 + ky * 3 + kx])
                }
              }
            }
            out.append(sum)
          }
        }
      }
    }
    return out
  }

  private static let cases: [Case] = [
    Case(), Case(stride: 2), Case(height: 8, width: 6, stride: 2), Case(isDoubled: true),
    Case(height: 3, width: 140, channels: 70, outputs: 35), Case(hasNorm: true), Case(isDoubled: true, hasNorm: true),
    Case(batch: 1, height: 1, width: 1, channels: 4, outputs: 3), Case(channels: 7, outputs: 40, stride: 2),
  ]

  private func run(
    _ c: Case, _ x: [Float], _ w: [Float], _ bias: [Float], threads: Int = 2, bits: Int? = nil,
    order: TileLayout.ColumnOrder = .source, mode: ComputeMode = .f32
  ) throws -> [Float] {
    let source = Source(
      weights: [
        "c.weight": w, "c.bias": bias, "n.weight": (0..<c.channels).map { 1 + Float($0) / 10 },
        "n.bias": (0..<c.channels).map { Float($0) / 7 - 0.3 },
      ], bits: bits, order: order)
    let layer = try Convolution(source, "c", channels: c.channels, outputs: c.outputs, stride: c.stride)
    let norm = try GroupNorm(source, "n", channels: c.channels, groups: 1, epsilon: 1e-5)
    return try execute(threads: threads, mode: mode) { run in
      let input = run.input(x, batch: c.batch, height: c.height, width: c.width, channels: c.channels)
      let scale = c.hasNorm ? try run.groupScale(norm, input) : nil
      let factor = c.isDoubled ? 2 : 1
      let out = run.take(
        batch: c.batch, height: (factor * c.height - 1) / c.stride + 1,
        width: (factor * c.width - 1) / c.stride + 1, channels: c.outputs)
      try run.convolve(layer, ConvolutionInput(input, norm: scale, isDoubled: c.isDoubled), into: out)
      return run.array(out)
    }
  }

  private func data(_ c: Case, _ seed: UInt64) -> (x: [Float], w: [Float], bias: [Float]) {
    var generator = SeededGenerator(seed)
    return (
      generator.normals(c.batch * c.height * c.width * c.channels), generator.normals(c.outputs * c.channels * 9),
      generator.normals(c.outputs)
    )
  }

  /// What the convolution reads: x, or its group norm (one group) and SiLU.
  private func read(_ c: Case, _ x: [Float]) -> [Double] {
    let values = x.map(Double.init)
    guard c.hasNorm else { return values }
    let size = values.count / c.batch
    return (0..<c.batch).flatMap { b -> [Double] in
      let part = Array(values[b * size..<(b + 1) * size])
      let mean = part.reduce(0, +) / Double(size)
      let variance = part.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(size)
      return part.enumerated().map { index, value in
        let channel = index % c.channels
        let normed =
          (value - mean) / (variance + 1e-5).squareRoot() * (1 + Double(channel) / 10) + Double(channel) / 7 - 0.3
        return normed / (1 + _exp(-normed))
      }
    }
  }

  @Test(arguments: Self.cases.indices) func equalsTheDefinition(number: Int) throws {
    let c = Self.cases[number]
    let (x, w, bias) = data(c, UInt64(number))
    let expected = truth(c, read(c, x), w, bias)
    #expect(relativeError(try run(c, x, w, bias), expected) < 2e-6)
    #expect(relativeError(try run(c, x, w, bias, mode: .bf16), expected) < 2e-2)
  }

  private func decoded(_ w: [Float], _ c: Case, _ bits: Int, _ order: TileLayout.ColumnOrder) throws -> [Float] {
    try quantized(w, outputs: c.outputs, inputs: c.channels * 9, bits: bits, taps: 9, order: order).decoded
  }

  /// In either order of the columns, channels in whole groups and others, in one block and in several.
  @Test(arguments: [8, 4], [TileLayout.ColumnOrder.source, .tapMajor]) func quantizedWeightsComputeAsTheyDecode(
    bits: Int, order: TileLayout.ColumnOrder
  ) throws {
    for c in [
      Case(), Case(channels: 70, outputs: 35), Case(height: 4, channels: 128, outputs: 40, stride: 2),
      Case(height: 3, channels: 150, outputs: 9),
    ] {
      let (x, w, bias) = data(c, 77)
      let expected = truth(c, x.map(Double.init), try decoded(w, c, bits, order), bias)
      #expect(relativeError(try run(c, x, w, bias, bits: bits, order: order), expected) < 2e-6)
    }
  }

  /// Products in bf16 of weights that are exact in it are those of the f32 path on narrowed inputs, whatever the storage.
  @Test(arguments: [8, 4], [TileLayout.ColumnOrder.source, .tapMajor]) func quantizedWeightsAlsoGoThroughBF16(
    bits: Int, order: TileLayout.ColumnOrder
  ) throws {
    for c in [
      Case(channels: 64, outputs: 32), Case(channels: 130, outputs: 70), Case(channels: 7, outputs: 33),
      Case(channels: 33, outputs: 33),
    ] {
      let (x, w, bias) = data(c, 78)
      let y = try run(c, x, w, bias, bits: bits, order: order, mode: .bf16)
      #expect(relativeError(y, truth(c, x.map(Double.init), try decoded(w, c, bits, order), bias)) < 2e-2)
    }
  }

  /// The cut into tiles and parts follows the number of threads; the result must not.
  @Test func threadsChangeNothing() throws {
    let c = Case(batch: 1, height: 19, width: 150, channels: 20, outputs: 70, hasNorm: true)
    let (x, w, bias) = data(c, 5)
    for mode in ComputeMode.allCases {
      let one = try run(c, x, w, bias, threads: 1, mode: mode)
      for threads in [2, 5, 16] { #expect(try run(c, x, w, bias, threads: threads, mode: mode) == one) }
    }
  }
}

import Foundation

private func _exp(_ x: Double) -> Double { exp(x) }
