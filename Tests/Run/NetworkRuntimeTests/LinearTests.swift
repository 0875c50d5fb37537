import Kernels
import NetworkRuntime
import Tensors
import Testing
import TestSupport

@Suite struct LinearTests {
  private func truth(_ x: [Float], _ w: [Float], _ bias: [Float]?, rows: Int, inputs: Int, outputs: Int) -> [Double] {
    (0..<rows * outputs).map { index in
      let (row, output) = (index / outputs, index % outputs)
      return (0..<inputs).reduce(Double(bias?[output] ?? 0)) {
        $0 + Double(x[row * inputs + $1]) * Double(w[output * inputs + $1])
      }
    }
  }

  /// Sizes that fit no block, few rows of several items, and one beyond the depth of a panel and the rows of an item.
  static let sizes = [(1, 1, 1), (3, 33, 17), (2, 40, 150), (13, 100, 65), (70, 520, 40), (530, 64, 33)]

  @Test(arguments: [DType.f32, .bf16, .f16]) func plainWeights(dtype: DType) throws {
    var generator = SeededGenerator(1)
    for (rows, inputs, outputs) in Self.sizes {
      let x = generator.normals(rows * inputs)
      // Values that every dtype holds exactly.
      let w = generator.normals(outputs * inputs).map { ($0 * 32).rounded() / 32 }
      let bias = generator.normals(outputs)
      let layer = Linear(
        path: "l", weight: try weight(w, outputs: outputs, inputs: inputs, dtype: dtype), bias: try vector(bias))
      let y = try execute { run in
        let out = run.take(width: rows, channels: outputs)
        try run.linear(layer, run.input(x, width: rows, channels: inputs), into: out)
        return run.array(out)
      }
      #expect(
        relativeError(y, truth(x, w, bias, rows: rows, inputs: inputs, outputs: outputs)) < 1e-6,
        "\(rows) \(inputs) \(outputs)")
    }
  }

  @Test(arguments: [8, 4]) func quantizedWeightsComputeAsTheyDecode(bits: Int) throws {
    var generator = SeededGenerator(2)
    for (rows, inputs, outputs) in Self.sizes {
      let x = generator.normals(rows * inputs)
      let (weight, decoded) = try quantized(
        generator.normals(outputs * inputs), outputs: outputs, inputs: inputs, bits: bits)
      let y = try execute { run in
        let out = run.take(width: rows, channels: outputs)
        try run.linear(Linear(path: "l", weight: weight), run.input(x, width: rows, channels: inputs), into: out)
        return run.array(out)
      }
      #expect(relativeError(y, truth(x, decoded, nil, rows: rows, inputs: inputs, outputs: outputs)) < 1e-6)
    }
  }

  /// Few rows meet the weights as they lie, each as if it were alone: equal bits.
  @Test(arguments: [2, 3]) func fewRowsAreThoseOfOneAlone(rows: Int) throws {
    var generator = SeededGenerator(6)
    let (inputs, outputs) = (130, 200)
    let (x, w) = (generator.normals(rows * inputs), generator.normals(outputs * inputs))
    let layer = Linear(
      path: "l", weight: try weight(w, outputs: outputs, inputs: inputs, dtype: .bf16),
      bias: try vector(generator.normals(outputs)))
    func y(_ x: [Float], _ rows: Int, _ mode: ComputeMode) throws -> [Float] {
      try execute(threads: 2, mode: mode) { run in
        let out = run.take(width: rows, channels: outputs)
        try run.linear(layer, run.input(x, width: rows, channels: inputs), into: out)
        return run.array(out)
      }
    }
    for mode in [ComputeMode.f32, .bf16] {
      let alone = try (0..<rows).flatMap { try y(Array(x[$0 * inputs..<($0 + 1) * inputs]), 1, mode) }
      #expect(try y(x, rows, mode) == alone)
    }
  }

  @Test(arguments: [2, 9]) func residualIsAddedAlsoInPlace(rows: Int) throws {
    var generator = SeededGenerator(3)
    let (inputs, outputs) = (12, 12)
    let (x, w, residual) = (
      generator.normals(rows * inputs), generator.normals(outputs * inputs), generator.normals(rows * outputs)
    )
    let layer = Linear(path: "l", weight: try weight(w, outputs: outputs, inputs: inputs))
    let sums = zip(truth(x, w, nil, rows: rows, inputs: inputs, outputs: outputs), residual).map { $0 + Double($1) }
    for inPlace in [false, true] {
      let y = try execute { run in
        let r = run.input(residual, width: rows, channels: outputs)
        let out = inPlace ? r : run.take(like: r)
        try run.linear(layer, run.input(x, width: rows, channels: inputs), plus: r, into: out)
        return run.array(out)
      }
      #expect(relativeError(y, sums) < 1e-6)
    }
  }

  @Test func enginesAgreeAndThreadsChangeNothing() throws {
    var generator = SeededGenerator(4)
    let (rows, inputs, outputs) = (130, 700, 300)
    let (x, w) = (generator.normals(rows * inputs), generator.normals(outputs * inputs))
    let layer = Linear(path: "l", weight: try weight(w, outputs: outputs, inputs: inputs, dtype: .bf16))
    func y(_ threads: Int, _ engine: ProductEngine, _ mode: ComputeMode = .f32) throws -> [Float] {
      try execute(threads: threads, mode: mode, engine: engine) { run in
        let out = run.take(width: rows, channels: outputs)
        try run.linear(layer, run.input(x, width: rows, channels: inputs), into: out)
        return run.array(out)
      }
    }
    let one = try y(1, .blocked)
    for threads in [2, 3, 7] { #expect(try y(threads, .blocked) == one) }
    #expect(relativeError(try y(2, .openblas), one.map(Double.init)) < 1e-5)
    let narrow = try y(1, .blocked, .bf16)
    #expect(try y(5, .blocked, .bf16) == narrow)
    #expect(relativeError(narrow, one.map(Double.init)) < 1e-2)
    #expect(narrow != one)
  }

  @Test func embeddingGivesRows() throws {
    var generator = SeededGenerator(5)
    let (table, decoded) = try quantized(generator.normals(40 * 70), outputs: 40, inputs: 70, bits: 8)
    let ids = [39, 0, 17, 17]
    let y = try execute { run in
      let out = run.take(width: 4, channels: 70)
      try run.embed(table, path: "e", ids: ids, into: out)
      return run.array(out)
    }
    #expect(y == ids.flatMap { Array(decoded[$0 * 70..<($0 + 1) * 70]) })
  }
}
