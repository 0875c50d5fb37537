import Encodings
import Kernels
import NetworkRuntime
import Tensors
import Testing
import TestSupport

/// Products with activations of 8 bits: what decoded weights give with activations rounded by the stated rule, but for the rounding of
/// f32 sums.
@Suite struct DotTests {
  /// Rows of activations as they are rounded: groups of 32 columns, the largest magnitude becomes 127.
  private func rounded(_ x: [Float], columns: Int) -> [Double] {
    var out: [Double] = []
    for row in stride(from: 0, to: x.count, by: columns) {
      for first in stride(from: row, to: row + columns, by: 32) {
        let group = x[first..<min(first + 32, row + columns)]
        let largest = group.map(\.magnitude).max()!
        out += group.map { value in
          largest == 0 ? 0 : Double((value * (127 / largest)).rounded(.toNearestOrEven)) * Double(largest / 127)
        }
      }
    }
    return out
  }

  private func product(_ x: [Double], _ w: [Float], rows: Int, inputs: Int, outputs: Int) -> [Double] {
    (0..<rows * outputs).map { index in
      let (row, output) = index.quotientAndRemainder(dividingBy: outputs)
      return (0..<inputs).reduce(0.0) { $0 + x[row * inputs + $1] * Double(w[output * inputs + $1]) }
    }
  }

  @Test(arguments: [8, 4], [ComputeMode.int8, .auto]) func linearLayers(bits: Int, mode: ComputeMode) throws {
    // Where there are no vector instructions for them, they are not the fastest.
    guard mode == .int8 || DotProduct.isFast else { return }
    var generator = SeededGenerator(60)
    for (rows, inputs, outputs) in [
      (1, 250, 48), (1, 1176, 300), (3, 144, 33), (29, 96, 130), (520, 48, 20), (7, 3420, 17),
    ] {
      let (x, w) = (generator.normals(rows * inputs), generator.normals(outputs * inputs))
      let (bias, residual) = (generator.normals(outputs), generator.normals(rows * outputs))
      let (weight, decoded) = try quantized(w, outputs: outputs, inputs: inputs, bits: bits)
      let layer = Linear(path: "l", weight: weight, bias: try vector(bias))
      func y(_ threads: Int) throws -> [Float] {
        try execute(threads: threads, mode: mode) { run in
          let out = run.take(width: rows, channels: outputs)
          let r = run.input(residual, width: rows, channels: outputs)
          try run.linear(layer, run.input(x, width: rows, channels: inputs), plus: r, into: out)
          return run.array(out)
        }
      }
      let sums = product(rounded(x, columns: inputs), decoded, rows: rows, inputs: inputs, outputs: outputs)
      let expected = sums.indices.map { sums[$0] + Double(bias[$0 % outputs]) + Double(residual[$0]) }
      let one = try y(1)
      #expect(relativeError(one, expected) < 2e-6, "\(rows) x \(inputs) x \(outputs)")
      for threads in [2, 3, 7] { #expect(try y(threads) == one) }
    }
  }

  private struct Picture {
    var batch = 1, height = 6, width = 5, channels = 48, outputs = 20, stride = 1
    var isDoubled = false
  }

  private func convolved(_ p: Picture, _ x: [Double], _ w: [Float], _ bias: [Float]) -> [Double] {
    let factor = p.isDoubled ? 2 : 1
    let (h, v) = (factor * p.height, factor * p.width)
    var out: [Double] = []
    for b in 0..<p.batch {
      for y in stride(from: 0, to: h, by: p.stride) {
        for z in stride(from: 0, to: v, by: p.stride) {
          for o in 0..<p.outputs {
            var sum = Double(bias[o])
            for tap in 0..<9 {
              let (sy, sx) = (y + tap / 3 - 1, z + tap % 3 - 1)
              guard (0..<h).contains(sy), (0..<v).contains(sx) else { continue }
              let pixel = ((b * p.height + sy / factor) * p.width + sx / factor) * p.channels
              for c in 0..<p.channels { sum += x[pixel + c] * Double(w[(o * p.channels + c) * 9 + tap]) }
            }
            out.append(sum)
          }
        }
      }
    }
    return out
  }

  @Test(arguments: [8, 4]) func convolutions(bits: Int) throws {
    var generator = SeededGenerator(61)
    for p in [
      Picture(), Picture(batch: 2, channels: 144, outputs: 33), Picture(channels: 64, stride: 2),
      Picture(channels: 32, isDoubled: true), Picture(height: 3, width: 150, channels: 33, outputs: 40),
      Picture(height: 1, width: 1, channels: 96, outputs: 3),
    ] {
      let x = generator.normals(p.batch * p.height * p.width * p.channels)
      let (w, bias) = (generator.normals(p.outputs * p.channels * 9), generator.normals(p.outputs))
      let (weight, decoded) = try quantized(
        w, outputs: p.outputs, inputs: p.channels * 9, bits: bits, taps: 9, order: .tapMajor)
      let source = OneConvolution(weight: weight, bias: try vector(bias))
      let layer = try Convolution(source, "c", channels: p.channels, outputs: p.outputs, stride: p.stride)
      func y(_ threads: Int) throws -> [Float] {
        try execute(threads: threads, mode: .int8) { run in
          let factor = p.isDoubled ? 2 : 1
          let out = run.take(
            batch: p.batch, height: (factor * p.height - 1) / p.stride + 1,
            width: (factor * p.width - 1) / p.stride + 1, channels: p.outputs)
          let input = run.input(x, batch: p.batch, height: p.height, width: p.width, channels: p.channels)
          try run.convolve(layer, ConvolutionInput(input, isDoubled: p.isDoubled), into: out)
          return run.array(out)
        }
      }
      let one = try y(1)
      #expect(relativeError(one, convolved(p, rounded(x, columns: p.channels), decoded, bias)) < 2e-6)
      for threads in [2, 3, 7] { #expect(try y(threads) == one) }
    }
  }

  /// Rows that 8 bits suit badly are counted, in convolutions as they are after the norm, and only where somebody wants to know.
  @Test func outliersAreCounted() throws {
    final class Counter: Observer {
      var seen: [String: [Int]] = [:]
      let wanted: ObservedValues

      init(_ wants: Bool) { wanted = wants ? .outliers : [] }
      func wants(_ path: String) -> ObservedValues { wanted }
      func sawOutliers(_ path: String, rows: Int, of count: Int) { seen[path] = [rows, count] }
    }
    // Of 8,192 values one is 1 and the others 0: its row's root mean square is 1/90.5.
    var x = [Float](repeating: 0, count: 3 * 8192)
    x[8192 + 5] = 1
    for index in 2 * 8192..<3 * 8192 { x[index] = 1 }
    let (weight, _) = try quantized([Float](repeating: 1, count: 8192), outputs: 1, inputs: 8192, bits: 4)
    let kernels = try quantized(
      [Float](repeating: 1, count: 4 * 32 * 9), outputs: 4, inputs: 32 * 9, bits: 4, taps: 9, order: .tapMajor
    ).weight
    let source = OneConvolution(weight: kernels, bias: try vector([0, 0, 0, 0]))
    let layer = try Convolution(source, "conv", channels: 32, outputs: 4)
    for wants in [true, false] {
      let counter = Counter(wants)
      try execute(mode: .int8, observers: [counter]) { run in
        let out = run.take(width: 3, channels: 1)
        try run.linear(Linear(path: "linear", weight: weight), run.input(x, width: 3, channels: 8192), into: out)
        let picture = run.input(Array(x[..<256]), height: 2, width: 4, channels: 32)
        try run.convolve(
          layer, ConvolutionInput(picture), into: run.take(height: 2, width: 4, channels: 4))
      }
      #expect(counter.seen == (wants ? ["linear": [1, 3], "conv": [0, 8]] : [:]))
    }
  }

  /// Weights that have no products of 8 bits are computed exactly.
  @Test func plainWeightsStayExact() throws {
    var generator = SeededGenerator(62)
    let (x, w) = (generator.normals(5 * 64), generator.normals(20 * 64))
    let layer = Linear(path: "l", weight: try weight(w, outputs: 20, inputs: 64))
    func y(_ mode: ComputeMode) throws -> [Float] {
      try execute(mode: mode) { run in
        let out = run.take(width: 5, channels: 20)
        try run.linear(layer, run.input(x, width: 5, channels: 64), into: out)
        return run.array(out)
      }
    }
    #expect(try y(.int8) == y(.f32))
  }
}

private struct OneConvolution: WeightSource {
  let path = "memory"
  let weight: Weight
  let bias: Vector

  func has(_ name: String) -> Bool { true }
  func weight(_ name: String, shape: [Int]) throws -> Weight { weight }
  func vector(_ name: String, shape: [Int]) throws -> Vector { bias }
}
