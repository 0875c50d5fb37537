import Foundation
import NetworkRuntime

/// The Qwen2.5 decoder: grouped-query attention with biases, M-RoPE, gated SiLU.
///
/// Source: Qwen2.5-VL technical report; transformers, modeling_qwen2_5_vl.
public struct LanguageModel: Sendable {
  package let prefix: String
  package struct Layer: Sendable {
    package let path: String
    package let inputNorm: RMSNorm
    package let q, k, v, o: Linear
    package let attention: Attention
    package let attentionNorm: RMSNorm
    package let feedForward: GatedFeedForward
    package let qRotation, kRotation: String

    package init(_ source: any WeightSource, _ path: String, _ config: LanguageModelConfig) throws {
      self.path = path
      let (hidden, width) = (config.hiddenSize, config.intermediateSize)
      let keyWidth = config.keyValueHeadCount * config.headWidth
      let epsilon = Float(config.normEpsilon)
      inputNorm = try RMSNorm(source, path + ".input_layernorm", channels: hidden, epsilon: epsilon)
      // In trained language models with outliers these alone fall under 38 dB (benchmarks/README.md).
      q = try Linear(source, path + ".self_attn.q_proj", inputs: hidden, outputs: hidden, needsExactActivations: true)
      k = try Linear(source, path + ".self_attn.k_proj", inputs: hidden, outputs: keyWidth)
      v = try Linear(source, path + ".self_attn.v_proj", inputs: hidden, outputs: keyWidth, needsExactActivations: true)
      o = try Linear(source, path + ".self_attn.o_proj", inputs: hidden, outputs: hidden, hasBias: false)
      attention = Attention(
        path: path + ".self_attn.attention", heads: config.headCount, keyHeads: config.keyValueHeadCount,
        isCausal: true)
      attentionNorm = try RMSNorm(source, path + ".post_attention_layernorm", channels: hidden, epsilon: epsilon)
      feedForward = try GatedFeedForward(
        source, path + ".mlp", width: hidden, inner: width, hasBias: false, needsExactUp: true)
      qRotation = path + ".self_attn.rotate_q"
      kRotation = path + ".self_attn.rotate_k"
    }
  }

  public let config: LanguageModelConfig
  package let embedding: Weight
  package let layers: [Layer]
  package let norm: RMSNorm
  package let head: Linear

  /// - Parameter prefix: of the weights' names, and of the operations' paths: `llm` for `llm.norm.weight`.
  public init(_ source: any WeightSource, prefix: String, _ config: LanguageModelConfig) throws {
    self.prefix = prefix
    self.config = config
    let shape = [config.vocabularySize, config.hiddenSize]
    embedding = try source.weight("\(prefix).embed_tokens.weight", shape: shape)
    layers = try (0..<config.layerCount).map { try Layer(source, "\(prefix).layers.\($0)", config) }
    norm = try RMSNorm(source, "\(prefix).norm", channels: config.hiddenSize, epsilon: Float(config.normEpsilon))
    // A tied head is the embedding; some files hold a copy of it all the same.
    let headName = "\(prefix).lm_head.weight"
    let weight = config.isTied && !source.has(headName) ? embedding : try source.weight(headName, shape: shape)
    head = Linear(path: "\(prefix).lm_head", weight: weight)
  }

  /// Embeddings of tokens.
  /// - Parameter out: `[ids, hidden]`.
  public func embed(_ run: Execution, ids: [Int], into out: Activation) throws {
    try run.embed(embedding, path: "\(prefix).embed_tokens", ids: ids, into: out)
  }

  /// Angles of positions on the three axes; where all three agree it is plain RoPE. Give back with ``Execution/give(_:)``.
  /// - Parameter positions: time, row and column of each token.
  package func rotary(_ run: Execution, positions: [(Int, Int, Int)]) -> RotaryTable {
    let half = config.headWidth / 2
    let cosine = run.take(width: positions.count, channels: half)
    let sine = run.take(width: positions.count, channels: half)
    let sections = config.ropeSections.isEmpty ? [half, 0, 0] : config.ropeSections
    run.fill(cosine) { cosines in
      for (token, position) in positions.enumerated() {
        for index in 0..<half {
          let frequency = 1 / Float(pow(config.ropeTheta, Double(2 * index) / Double(config.headWidth)))
          let axis =
            index < sections[0] ? position.0 : index < sections[0] + sections[1] ? position.1 : position.2
          let angle = Float(axis) * frequency
          cosines[token * half + index] = cos(angle)
          sine.values[token * half + index] = sin(angle)
        }
      }
    }
    return RotaryTable(cosine: cosine, sine: sine, pairing: .halves)
  }

  /// One causal pass.
  /// - Parameters:
  ///   - x: `[n, hidden]` embeddings; becomes the hidden states after the final norm.
  ///   - positions: time, row and column of each token.
  ///   - cache: what came before; the keys and values of x are written behind it. Call ``KeyValueCache/advance(by:)`` after.
  public func forward(
    _ run: Execution, _ x: Activation, positions: [(Int, Int, Int)], cache: KeyValueCache? = nil
  ) throws {
    let table = rotary(run, positions: positions)
    let normed = run.take(like: x)
    for (number, layer) in layers.enumerated() {
      try run.norm(layer.inputNorm, x, into: normed)
      let q = run.take(like: x)
      let k = cache?.newKeys(number, count: x.rowCount) ?? run.take(like: x, channels: layer.k.weight.outputs)
      let v = cache?.newValues(number, count: x.rowCount) ?? run.take(like: k)
      try run.linear(layer.q, normed, into: q)
      try run.linear(layer.k, normed, into: k)
      try run.linear(layer.v, normed, into: v)
      try run.rotate(layer.qRotation, q, by: table, heads: config.headCount)
      try run.rotate(layer.kRotation, k, by: table, heads: config.keyValueHeadCount)
      if let cache {
        try run.attend(
          layer.attention, q: q, k: cache.allKeys(number, with: x.rowCount),
          v: cache.allValues(number, with: x.rowCount),
          into: q)
      } else {
        try run.attend(layer.attention, q: q, k: k, v: v, into: q)
        run.give(k)
        run.give(v)
      }
      try run.linear(layer.o, q, plus: x, into: x)
      run.give(q)
      try run.norm(layer.attentionNorm, x, into: normed)
      try layer.feedForward.forward(run, normed, addingTo: x)
      try run.emit(layer.path, x)
    }
    run.give(normed)
    try run.norm(norm, x, into: x)
    run.give(table.cosine)
    run.give(table.sine)
  }

  /// Logits of hidden states.
  /// - Parameters:
  ///   - x: `[n, hidden]` after the final norm.
  ///   - out: `[n, vocabulary]`.
  public func logits(_ run: Execution, _ x: Activation, into out: Activation) throws {
    try run.linear(head, x, into: out)
  }
}
