import Foundation

/// How the next token is chosen.
public struct SamplingOptions: Sendable, Equatable {
  /// 0: the most likely token. The release's own settings come to that.
  public var temperature = 0.0
  /// Tokens that are considered, most likely first.
  public var topK: Int?
  /// Tokens are considered until their probabilities add up to this.
  public var topP = 1.0
  /// Divides positive and multiplies negative logits of all tokens seen so far, the prompt's too. Source: Keskar et al.,
  /// "CTRL".
  public var repetitionPenalty: Float = 1.05
  public var seed: UInt64 = 0

  public init() {}

  /// Without penalty: the arg-max of the network itself.
  public static var greedy: SamplingOptions {
    var options = SamplingOptions()
    options.repetitionPenalty = 1
    return options
  }
}

/// Chooses tokens, one after another.
struct Sampler {
  private let options: SamplingOptions
  private var generator: SplitMix
  private var seen: Set<Int>

  /// - Parameter prompt: ids that count as seen.
  init(_ options: SamplingOptions, prompt: [Int]) {
    self.options = options
    generator = SplitMix(state: options.seed)
    seen = Set(prompt)
  }

  /// - Parameter logits: of all tokens; finite.
  mutating func next(_ logits: UnsafeMutableBufferPointer<Float>) -> Int {
    if options.repetitionPenalty != 1 {
      for id in seen where id < logits.count {
        logits[id] = logits[id] < 0 ? logits[id] * options.repetitionPenalty : logits[id] / options.repetitionPenalty
      }
    }
    let choice = options.temperature == 0 ? Self.largest(logits) : draw(logits)
    seen.insert(choice)
    return choice
  }

  /// The first of the largest.
  private static func largest(_ logits: UnsafeMutableBufferPointer<Float>) -> Int {
    var best = 0
    for index in logits.indices where logits[index] > logits[best] { best = index }
    return best
  }

  private mutating func draw(_ logits: UnsafeMutableBufferPointer<Float>) -> Int {
    var order = logits.indices.sorted { logits[$0] != logits[$1] ? logits[$0] > logits[$1] : $0 < $1 }
    if let topK = options.topK { order = Array(order.prefix(max(1, topK))) }
    let top = Double(logits[order[0]])
    var weights = order.map { exp((Double(logits[$0]) - top) / options.temperature) }
    let total = weights.reduce(0, +)
    // The token that crosses the limit still counts.
    var sum = 0.0
    var kept = 0
    while kept < weights.count, sum < options.topP * total || kept == 0 {
      sum += weights[kept]
      kept += 1
    }
    weights = Array(weights.prefix(kept))
    var left = generator.unit() * sum
    for (index, weight) in weights.enumerated() {
      left -= weight
      if left < 0 { return order[index] }
    }
    return order[kept - 1]
  }
}

/// Source: Steele, Lea and Flood, "Fast Splittable Pseudorandom Number Generators".
private struct SplitMix {
  var state: UInt64

  /// 0 up to 1.
  mutating func unit() -> Double {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ z >> 30) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ z >> 27) &* 0x94D0_49BB_1331_11EB
    return Double((z ^ z >> 31) >> 11) * 0x1p-53
  }
}
