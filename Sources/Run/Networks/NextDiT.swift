import Foundation
import Kernels
import NetworkRuntime

/// The Lumina NextDiT with BLIP3-o's changes: its own and the queries' attention mixed head by head, one output projection.
///
/// Source: Zhuo et al., "Lumina-Next"; BLIP3-o's nextdit_crossattn.
public struct NextDiT: Sendable {
  package let prefix: String
  /// Projections and norms of one attention; the norms run over all channels, before the heads are cut.
  package struct Projections: Sendable {
    package let q, k, v: Linear
    package let qNorm, kNorm: LayerNorm

    package init(_ source: any WeightSource, _ path: String, _ config: DiTConfig) throws {
      let keyWidth = config.keyHeadCount * config.headWidth
      q = try Linear(source, path + ".to_q", inputs: config.width, outputs: config.width, hasBias: false)
      k = try Linear(source, path + ".to_k", inputs: config.width, outputs: keyWidth, hasBias: false)
      v = try Linear(source, path + ".to_v", inputs: config.width, outputs: keyWidth, hasBias: false)
      qNorm = try LayerNorm(source, path + ".norm_q", channels: config.width, epsilon: 1e-5)
      kNorm = try LayerNorm(source, path + ".norm_k", channels: keyWidth, epsilon: 1e-5)
    }
  }

  package struct Layer: Sendable {
    package let path: String
    package let modulation: Linear
    package let norm, contextNorm, outNorm, mlpNorm, mlpOutNorm: RMSNorm
    package let own, cross: Projections
    package let ownAttention, crossAttention: Attention
    /// tanh of the gate of each head.
    package let gates: [Float]
    package let out: Linear
    package let gate, down, up: Linear
    package let names: Names

    /// Paths of operations without weights, put together once.
    package struct Names: Sendable {
      let modulation, gateTanh: [String]
      let qRotation, kRotation, crossRotation, gate, residual, product, mlpResidual: String
    }

    package init(_ source: any WeightSource, _ path: String, _ config: DiTConfig) throws {
      self.path = path
      let width = config.width
      let epsilon = Float(config.normEpsilon)
      func rms(_ name: String) throws -> RMSNorm {
        try RMSNorm(source, path + "." + name, channels: width, epsilon: epsilon)
      }
      modulation = try Linear(source, path + ".norm1.linear", inputs: config.conditionWidth, outputs: 4 * width)
      norm = try rms("norm1.norm")
      contextNorm = try rms("norm1_context")
      outNorm = try rms("norm2")
      mlpNorm = try rms("ffn_norm1")
      mlpOutNorm = try rms("ffn_norm2")
      own = try Projections(source, path + ".attn1", config)
      cross = try Projections(source, path + ".attn2", config)
      ownAttention = Attention(
        path: path + ".attn1.attention", heads: config.headCount, keyHeads: config.keyHeadCount)
      crossAttention = Attention(
        path: path + ".attn2.attention", heads: config.headCount, keyHeads: config.keyHeadCount)
      let gate = try source.vector(path + ".gate", shape: [config.headCount])
      gates = (0..<config.headCount).map { tanh(gate.values[$0]) }
      out = try Linear(source, path + ".attn2.to_out.0", inputs: width, outputs: width, hasBias: false)
      let feedForward = path + ".feed_forward"
      self.gate = try Linear(
        source, feedForward + ".linear_1", inputs: width, outputs: config.feedForwardWidth, hasBias: false)
      down = try Linear(
        source, feedForward + ".linear_2", inputs: config.feedForwardWidth, outputs: width, hasBias: false)
      up = try Linear(
        source, feedForward + ".linear_3", inputs: width, outputs: config.feedForwardWidth, hasBias: false)
      names = Names(
        modulation: ["scale_attn", "gate_attn", "scale_mlp", "gate_mlp"].map { path + ".norm1." + $0 },
        gateTanh: ["gate_attn", "gate_mlp"].map { path + ".norm1." + $0 + ".tanh" },
        qRotation: path + ".attn1.rotate_q", kRotation: path + ".attn1.rotate_k",
        crossRotation: path + ".attn2.rotate_q", gate: path + ".gate", residual: path + ".attn_residual",
        product: feedForward + ".product", mlpResidual: path + ".mlp_residual")
    }
  }

  public let config: DiTConfig
  package let captionProjection: (Linear, Linear)
  package let patch: Linear
  package let time: (Linear, Linear)
  package let captionNorm: LayerNorm
  package let caption: Linear
  package let layers: [Layer]
  package let outScale: Linear
  package let outNorm: LayerNorm
  package let out: Linear

  /// - Parameters:
  ///   - prefix: of the weights' names, and of the operations' paths.
  ///   - conditionInputs: width of the language model's hidden states.
  public init(_ source: any WeightSource, prefix: String, _ config: DiTConfig, conditionInputs: Int) throws {
    self.prefix = prefix
    self.config = config
    let (width, condition) = (config.width, config.conditionWidth)
    captionProjection = (
      try Linear(source, "\(prefix).caption_projection.linear_1", inputs: conditionInputs, outputs: width),
      try Linear(source, "\(prefix).caption_projection.linear_2", inputs: width, outputs: width)
    )
    patch = try Linear(source, "\(prefix).patch_embedder.proj", inputs: config.channels, outputs: width)
    let embed = "\(prefix).time_caption_embed"
    time = (
      try Linear(source, embed + ".timestep_embedder.linear_1", inputs: 256, outputs: condition),
      try Linear(source, embed + ".timestep_embedder.linear_2", inputs: condition, outputs: condition)
    )
    captionNorm = try LayerNorm(source, embed + ".caption_embedder.0", channels: width, epsilon: 1e-5)
    caption = try Linear(source, embed + ".caption_embedder.1", inputs: width, outputs: condition)
    layers = try (0..<config.layerCount).map { try Layer(source, "\(prefix).layers.\($0)", config) }
    outScale = try Linear(source, "\(prefix).norm_out.linear_1", inputs: condition, outputs: width)
    outNorm = LayerNorm(path: "\(prefix).norm_out.norm", epsilon: 1e-6)
    out = try Linear(source, "\(prefix).norm_out.linear_2", inputs: width, outputs: config.channels)
  }

  /// What does not change from step to step: keys and values of the queries for every layer, their part of the time
  /// embedding, and the angles of the grid.
  public struct Context {
    package let keys, values: [Activation]
    package let embedding: Activation
    package let rotary: RotaryTable
  }

  /// Cosines and sines of the grid, `[tokens, headWidth / 2]`: pair 2i of a head turns by y f_i, pair 2i + 1 by x f_i,
  /// f_i = 10000^(-2i/(d/2)).
  package var angles: (cosine: [Float], sine: [Float]) {
    let half = config.headWidth / 2
    let side = config.gridSide
    let angles = (0..<side * side).flatMap { token in
      (0..<half).map { pair in
        let frequency = 1 / Float(pow(10_000, Double(pair / 2 * 2) / Double(half)))
        return Float(pair % 2 == 0 ? token / side : token % side) * frequency
      }
    }
    return (angles.map { cos($0) }, angles.map { sin($0) })
  }

  private func rotary(_ run: Execution) -> RotaryTable {
    let (cosines, sines) = angles
    let cosine = run.take(width: config.gridSide * config.gridSide, channels: config.headWidth / 2)
    let sine = run.take(like: cosine)
    run.fill(cosine) { $0.update(cosines, at: 0) }
    run.fill(sine) { $0.update(sines, at: 0) }
    return RotaryTable(cosine: cosine, sine: sine, pairing: .neighbours)
  }

  /// Works out what a condition comes to, once for all steps.
  /// - Parameter condition: `[batch, queries, hidden]` of the language model.
  public func context(_ run: Execution, _ condition: Activation) throws -> Context {
    let context = run.take(like: condition, channels: config.width)
    let inner = run.take(like: context)
    try run.linear(captionProjection.0, condition, into: inner)
    try run.apply(.geluTanh, "\(prefix).caption_projection.gelu", to: inner)
    try run.linear(captionProjection.1, inner, into: context)
    let mean = run.take(batch: condition.batch, width: 1, channels: config.width)
    try run.meanOfTokens("\(prefix).time_caption_embed.mean", context, into: mean)
    try run.norm(captionNorm, mean, into: mean)
    let embedding = run.take(like: mean, channels: config.conditionWidth)
    try run.linear(caption, mean, into: embedding)
    run.give(mean)
    var (keys, values): ([Activation], [Activation]) = ([], [])
    for layer in layers {
      try run.norm(layer.contextNorm, context, into: inner)
      let k = run.take(like: context, channels: layer.cross.k.weight.outputs)
      let v = run.take(like: k)
      try run.linear(layer.cross.k, inner, into: k)
      try run.norm(layer.cross.kNorm, k, into: k)
      try run.linear(layer.cross.v, inner, into: v)
      keys.append(k)
      values.append(v)
    }
    run.give(inner)
    run.give(context)
    return Context(keys: keys, values: values, embedding: embedding, rotary: rotary(run))
  }

  public func give(_ run: Execution, _ context: Context) {
    (context.keys + context.values).forEach(run.give)
    [context.embedding, context.rotary.cosine, context.rotary.sine].forEach(run.give)
  }

  /// The velocity at a point of the flow.
  /// - Parameters:
  ///   - x: `[batch, tokens, channels]`, tokens row by row over the grid.
  ///   - timestep: 0 to 1000.
  ///   - velocity: like x, overwritten.
  public func forward(
    _ run: Execution, _ x: Activation, timestep: Int, _ context: Context, into velocity: Activation
  ) throws {
    let h = run.take(like: x, channels: config.width)
    try run.linear(patch, x, into: h)
    let embedding = try timeEmbedding(run, timestep, context)
    let normed = run.take(like: h)
    for (number, layer) in layers.enumerated() {
      let parts = try modulation(run, layer, embedding)
      try run.norm(layer.norm, h, scale: parts[0], into: normed)
      let mixed = try attention(run, number, normed, context)
      try run.linear(layer.out, mixed, into: normed)
      run.give(mixed)
      try run.norm(layer.outNorm, normed, into: normed)
      try run.add(layer.names.residual, normed, times: parts[1], to: h)
      try run.norm(layer.mlpNorm, h, scale: parts[2], into: normed)
      let gate = run.take(like: h, channels: config.feedForwardWidth)
      try run.linear(layer.gate, normed, into: gate)
      try run.linear(layer.up, normed, gating: gate, product: layer.names.product)
      try run.linear(layer.down, gate, into: normed)
      run.give(gate)
      try run.norm(layer.mlpOutNorm, normed, into: normed)
      try run.add(layer.names.mlpResidual, normed, times: parts[3], to: h)
      parts.forEach(run.give)
      try run.emit(layer.path, h)
    }
    run.give(normed)
    let scale = run.take(like: embedding, channels: config.width)
    try run.linear(outScale, embedding, into: scale)
    try run.norm(outNorm, h, scale: scale, into: h)
    try run.linear(out, h, into: velocity)
    [scale, embedding, h].forEach(run.give)
  }

  /// silu of the time embedding, the only form in which the layers read it.
  private func timeEmbedding(_ run: Execution, _ timestep: Int, _ context: Context) throws -> Activation {
    let batch = context.embedding.batch
    let features = run.take(batch: batch, width: 1, channels: 256)
    run.fill(features) { values in
      for row in 0..<batch { Sinusoid.fill(values.baseAddress! + row * 256, of: Float(timestep), width: 256) }
    }
    let inner = run.take(like: context.embedding)
    let embedding = run.take(like: context.embedding)
    try run.linear(time.0, features, into: inner)
    try run.apply(.silu, "\(prefix).time_caption_embed.timestep_embedder.silu", to: inner)
    try run.linear(time.1, inner, plus: context.embedding, into: embedding)
    [features, inner].forEach(run.give)
    try run.apply(.silu, "\(prefix).time_caption_embed.silu", to: embedding)
    return embedding
  }

  /// Scale and gate of the attention, scale and gate of the feed-forward part: `[batch, width]` each, the gates through
  /// tanh.
  private func modulation(_ run: Execution, _ layer: Layer, _ embedding: Activation) throws -> [Activation] {
    let all = run.take(like: embedding, channels: 4 * config.width)
    try run.linear(layer.modulation, embedding, into: all)
    let parts = (0..<4).map { _ in run.take(like: embedding, channels: config.width) }
    for (number, part) in parts.enumerated() {
      try run.part(layer.names.modulation[number], of: all, number: number, into: part)
      if number % 2 == 1 { try run.apply(.tanh, layer.names.gateTanh[number / 2], to: part) }
    }
    run.give(all)
    return parts
  }

  /// The tokens' attention to each other plus, head by head through its gate, that to the queries.
  private func attention(
    _ run: Execution, _ index: Int, _ x: Activation, _ context: Context
  ) throws -> Activation {
    let layer = layers[index]
    let q = run.take(like: x)
    let k = run.take(like: x, channels: layer.own.k.weight.outputs)
    let v = run.take(like: k)
    try run.linear(layer.own.q, x, into: q)
    try run.norm(layer.own.qNorm, q, into: q)
    try run.rotate(layer.names.qRotation, q, by: context.rotary, heads: config.headCount)
    try run.linear(layer.own.k, x, into: k)
    try run.norm(layer.own.kNorm, k, into: k)
    try run.rotate(layer.names.kRotation, k, by: context.rotary, heads: config.keyHeadCount)
    try run.linear(layer.own.v, x, into: v)
    try run.attend(layer.ownAttention, q: q, k: k, v: v, into: q)
    [k, v].forEach(run.give)
    let cross = run.take(like: x)
    try run.linear(layer.cross.q, x, into: cross)
    try run.norm(layer.cross.qNorm, cross, into: cross)
    try run.rotate(layer.names.crossRotation, cross, by: context.rotary, heads: config.headCount)
    try run.attend(layer.crossAttention, q: cross, k: context.keys[index], v: context.values[index], into: cross)
    try run.addHeads(layer.names.gate, cross, factors: layer.gates, to: q)
    run.give(cross)
    return q
  }
}
