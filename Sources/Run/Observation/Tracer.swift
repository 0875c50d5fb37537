import NetworkRuntime
import Tensors

/// One tensor of a trace.
public struct TracedTensor {
  public let info: TensorInfo
  /// Row-major bytes, valid during the call.
  public let bytes: UnsafeRawBufferPointer
}

/// The names under which a pipeline's activations are known.
public protocol ActivationNames {
  /// Side of a grid on which tokens lie.
  var gridSide: Int { get }
  /// The names of an operation's output.
  func names(phase: String, step: Int, path: String) -> [(text: String, form: ActivationForm)]
  /// Whether any phase has a name for a path.
  func knows(_ path: String) -> Bool
  /// The phase under which all operations can be had; nil for repetitions.
  func ownPhase(_ phase: String, step: Int) -> String?
}

/// How an activation is laid out in a file.
public enum ActivationForm: Sendable {
  /// `[channels]` of the only token.
  case values
  /// `[tokens, channels]` of the only sample.
  case rows
  /// `[batch, channels]`.
  case vectors
  /// `[batch, tokens, channels]`.
  case tokens
  /// `[batch, channels, height, width]`.
  case image
  /// The same of tokens that lie on a grid.
  case grid
}

/// Gives activations their names and hands them on.
public final class Tracer: Observer {
  private let sink: (TracedTensor) throws -> Void
  private let only: [String]?
  private let names: any ActivationNames
  /// Names so far, where nothing is computed and only the names are wanted.
  private(set) var collected: [String]?
  private var repeats: [String: Int] = [:]
  private var phase = ""
  private var step = 0

  /// - Parameter only: patterns of names; nil: all that have names of their own.
  public init(_ names: any ActivationNames, only: [String]?, sink: @escaping (TracedTensor) throws -> Void) {
    self.sink = sink
    self.only = only
    self.names = names
  }

  /// An observer of a run that computes nothing: it collects all names that there are.
  public convenience init(collecting names: any ActivationNames) {
    self.init(names, only: ["*"], sink: { _ in })
    collected = []
  }

  /// Those of the patterns that fit none of the names.
  public func idle(_ patterns: [String]) -> [String] {
    let names = (collected ?? []).map { TensorName($0) }
    return patterns.filter { pattern in !names.contains { $0.matches(pattern: pattern) } }
  }

  public func enter(phase: String, step: Int) {
    self.phase = phase
    self.step = step
  }

  public func wants(_ path: String) -> ObservedValues { only != nil || names.knows(path) ? .output : [] }

  public func didRun(_ operation: NetworkOperation, output: Activation?) throws {
    guard output != nil || collected != nil else { return }
    for name in names.names(phase: phase, step: step, path: operation.path) where isWanted(name.text) {
      try hand(name.text, output, name.form)
    }
    guard only != nil, let phase = names.ownPhase(phase, step: step) else { return }
    var name = phase + "/" + operation.path
    // What runs in pieces comes several times.
    repeats[name, default: 0] += 1
    if let count = repeats[name], count > 1 { name += "#\(count)" }
    if isWanted(name) { try hand(name, output, (output?.height ?? 1) > 1 ? .image : .tokens) }
  }

  private func isWanted(_ name: String) -> Bool { only?.contains { TensorName(name).matches(pattern: $0) } ?? true }

  private func hand(_ name: String, _ x: Activation?, _ form: ActivationForm) throws {
    guard let x, collected == nil else {
      collected?.append(name)
      return
    }
    switch form {
    case .values: try floats(name, Array(x.values), shape: [x.count])
    case .rows: try floats(name, Array(x.values), shape: [x.rowCount, x.channels])
    case .vectors: try floats(name, Array(x.values), shape: [x.batch, x.channels])
    case .tokens: try floats(name, Array(x.values), shape: [x.batch, x.pixelCount, x.channels])
    case .grid: try hand(name, x.image(height: names.gridSide, width: names.gridSide), .image)
    case .image:
      var values: [Float] = []
      values.reserveCapacity(x.count)
      for sample in 0..<x.batch {
        values += ChannelOrder.first(x.sample(sample).values, channels: x.channels)
      }
      try floats(name, values, shape: [x.batch, x.channels, x.height, x.width])
    }
  }

  public func floats(_ name: String, _ values: [Float], shape: [Int]) throws { try give(name, .f32, shape, values) }
  public func integers(_ name: String, _ values: [Int], shape: [Int]) throws { try give(name, .i64, shape, values) }
  public func bytes(_ name: String, _ values: [UInt8], shape: [Int]) throws { try give(name, .u8, shape, values) }

  private func give<Value>(_ name: String, _ dtype: DType, _ shape: [Int], _ values: [Value]) throws {
    guard isWanted(name) else { return }
    guard collected == nil else {
      collected?.append(name)
      return
    }
    let info = TensorInfo(name: TensorName(name), dtype: dtype, shape: shape)!
    try values.withUnsafeBytes { try sink(TracedTensor(info: info, bytes: $0)) }
  }
}
