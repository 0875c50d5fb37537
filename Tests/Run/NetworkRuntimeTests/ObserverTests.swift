import Kernels
import NetworkRuntime
import Tensors
import Testing
import TestSupport

@Suite struct ObserverTests {
  /// Keeps what it is shown of the paths that it wants.
  private final class Recorder: Observer {
    private let wanted: [String: ObservedValues]
    var inputs: [String: [[Float]]] = [:]
    var outputs: [String: [Float]] = [:]
    var weights: [String: String] = [:]
    var order: [String] = []

    init(_ wanted: [String: ObservedValues]) { self.wanted = wanted }

    func wants(_ path: String) -> ObservedValues { wanted[path] ?? [] }

    func willRun(_ operation: NetworkOperation, inputs: [Activation]?) {
      if let inputs { self.inputs[operation.path] = inputs.map { Array($0.values) } }
    }

    func didRun(_ operation: NetworkOperation, output: Activation?) {
      order.append(operation.path)
      weights[operation.path] = operation.weight
      if let output { outputs[operation.path] = Array(output.values) }
    }
  }

  private let x, w, residual: [Float]

  init() {
    var generator = SeededGenerator(5)
    (x, w, residual) = (generator.normals(7 * 64), generator.normals(48 * 64), generator.normals(7 * 48))
  }

  private func layer(_ path: String) throws -> Linear {
    Linear(path: path, weight: try weight(w, outputs: 48, inputs: 64))
  }

  private func product(_ row: Int, _ output: Int) -> Double {
    (0..<64).reduce(0.0) { $0 + Double(x[row * 64 + $1]) * Double(w[output * 64 + $1]) }
  }

  /// What a layer makes itself comes without the residual, the sum under its own name; the result has the same bits as where nobody
  /// looks on.
  @Test(arguments: [ComputeMode.f32, .bf16, .int8]) func residualsAreApart(mode: ComputeMode) throws {
    func sum(_ observers: [any Observer]) throws -> [Float] {
      try execute(mode: mode, observers: observers) { run in
        let input = run.input(x, width: 7, channels: 64)
        let out = run.input(residual, width: 7, channels: 48)
        try run.linear(layer("l"), input, plus: out, into: out)
        return run.array(out)
      }
    }
    let plain = try sum([])
    let recorder = Recorder(["l": [.output, .inputs], "l.sum": .output])
    #expect(try sum([recorder]) == plain)
    #expect(recorder.order == ["l", "l.sum"] && recorder.weights == ["l": "w"])
    #expect(recorder.inputs == ["l": [x]] && recorder.outputs["l.sum"] == plain)
    let own = try #require(recorder.outputs["l"])
    for row in 0..<7 {
      for output in 0..<48 {
        let tolerance = mode == .bf16 ? 0.3 : 1e-4
        #expect(abs(Double(own[row * 48 + output]) - product(row, output)) < tolerance)
        #expect(own[row * 48 + output] + residual[row * 48 + output] == plain[row * 48 + output])
      }
    }
    // One operation, where nobody wants the parts.
    let other = Recorder(["l": .result])
    #expect(try sum([other]) == plain)
    #expect(other.order == ["l"] && other.outputs["l"] == plain)
  }

  @Test(arguments: [1, 7]) func gatesAreApart(rows: Int) throws {
    func gated(_ observers: [any Observer]) throws -> [Float] {
      try execute(observers: observers) { run in
        let input = run.input(Array(x[..<(rows * 64)]), width: rows, channels: 64)
        let gate = run.input(Array(residual[..<(rows * 48)]), width: rows, channels: 48)
        try run.linear(layer("up"), input, gating: gate, product: "product")
        return run.array(gate)
      }
    }
    let plain = try gated([])
    for recorder in [Recorder(["up": .output]), Recorder(["product": .output]), Recorder(["product": .inputs])] {
      #expect(try gated([recorder]) == plain)
      #expect(recorder.order == ["up", "product"])
    }
    for index in plain.indices {
      let gate = Double(residual[index])
      let expected = gate / (1 + exponential(-gate)) * product(index / 48, index % 48)
      #expect(abs(Double(plain[index]) - expected) <= 2e-5)
    }
    let idle = Recorder([:])
    #expect(try gated([idle]) == plain)
    #expect(idle.order == ["up"] && idle.outputs.isEmpty)
  }

  /// A convolution's input is shown as it is read: here, doubled.
  @Test func inputsOfConvolutionsAreWhatIsRead() throws {
    let source = OneKernel(weight: try weight([Float](repeating: 1, count: 2 * 9), outputs: 1, inputs: 18))
    let convolution = try Convolution(source, "conv", channels: 2, outputs: 1)
    func result(_ observers: [any Observer]) throws -> [Float] {
      try execute(observers: observers) { run in
        let picture = run.input([1, 2, 3, 4], height: 1, width: 2, channels: 2)
        let out = run.take(height: 2, width: 4, channels: 1)
        try run.convolve(convolution, ConvolutionInput(picture, isDoubled: true), into: out)
        return run.array(out)
      }
    }
    let recorder = Recorder(["conv": .inputs])
    #expect(try result([recorder]) == result([]))
    let row: [Float] = [1, 2, 1, 2, 3, 4, 3, 4]
    #expect(recorder.inputs["conv"] == [row + row])
  }

  private struct OneKernel: WeightSource {
    let weight: Weight
    var path: String { "test" }
    func weight(_ name: String, shape: [Int]) -> Weight { weight }
    func vector(_ name: String, shape: [Int]) throws -> Vector { try NetworkRuntimeTests.vector([0]) }
    func has(_ name: String) -> Bool { true }
  }

  private struct Stop: Error {}

  private final class Thrower: Observer {
    func didRun(_ operation: NetworkOperation, output: Activation?) throws { throw Stop() }
  }

  /// An observer that throws does not keep the others from seeing what it saw.
  @Test func allAreToldBeforeAnErrorLeaves() throws {
    let (first, last) = (Recorder([:]), Recorder([:]))
    let run = try Execution(arenaByteCount: 4096, threadCount: 1, observers: [first, Thrower(), last])
    let y = run.input([1], width: 1, channels: 1)
    #expect(throws: Stop.self) { try run.apply(.silu, "s", to: y) }
    #expect(first.order == ["s"] && last.order == ["s"])
  }
}

/// e^x by its series.
private func exponential(_ x: Double) -> Double {
  var (sum, term) = (1.0, 1.0)
  for n in 1..<80 {
    term *= x / Double(n)
    sum += term
  }
  return sum
}
