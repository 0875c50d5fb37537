import Runtime
import Tensors

/// Gives activations their names and hands them on.
final class TraceObserver: Observer {
  private let sink: (TracedTensor) throws -> Void
  private let only: [String]?
  private let names: TraceNames
  /// Names so far, where nothing is computed and only the names are wanted.
  private(set) var collected: [String]?
  private var repeats: [String: Int] = [:]
  private var phase = ""
  private var step = 0

  init(_ names: TraceNames, only: [String]?, sink: @escaping (TracedTensor) throws -> Void) {
    self.sink = sink
    self.only = only
    self.names = names
  }

  /// An observer of a run that computes nothing: it collects all names that there are.
  convenience init(collecting names: TraceNames) {
    self.init(names, only: ["*"], sink: { _ in })
    collected = []
  }

  /// - Throws: ``ModelError/fitsNothing(patterns:what:)`` for patterns that fit none of the names.
  func check(_ patterns: [String]) throws(ModelError) {
    let names = (collected ?? []).map { TensorName($0) }
    let idle = patterns.filter { pattern in !names.contains { $0.matches(pattern: pattern) } }
    guard idle.isEmpty else { throw .fitsNothing(patterns: idle, what: "activation") }
  }

  func enter(phase: String, step: Int) {
    self.phase = phase
    self.step = step
  }

  func wants(_ path: String) -> Bool { path == "unet.conv_norm_out" || only != nil }

  func didRun(_ operation: NetworkOperation, output: Activation?) throws {
    guard output != nil || collected != nil else { return }
    for name in names.names(phase, step, operation.path) where isWanted(name.text) {
      try hand(name.text, output, name.form)
    }
    guard only != nil, let phase = names.ownPhase(phase, step) else { return }
    var name = phase + "/" + operation.path
    // What runs in pieces comes several times.
    repeats[name, default: 0] += 1
    if let count = repeats[name], count > 1 { name += "#\(count)" }
    if isWanted(name) { try hand(name, output, (output?.height ?? 1) > 1 ? .image : .tokens) }
  }

  private func isWanted(_ name: String) -> Bool { only?.contains { TensorName(name).matches(pattern: $0) } ?? true }

  private func hand(_ name: String, _ x: Activation?, _ form: TraceNames.Form) throws {
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

  func floats(_ name: String, _ values: [Float], shape: [Int]) throws { try give(name, .f32, shape, values) }
  func integers(_ name: String, _ values: [Int], shape: [Int]) throws { try give(name, .i64, shape, values) }
  func bytes(_ name: String, _ values: [UInt8], shape: [Int]) throws { try give(name, .u8, shape, values) }

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
