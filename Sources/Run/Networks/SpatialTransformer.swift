import NetworkRuntime

/// Transformer blocks over the pixels of a picture, each looking at a context too.
///
/// Source: Rombach et al., "High-Resolution Image Synthesis with Latent Diffusion Models"; diffusers, Transformer2DModel
/// with linear projections.
package struct SpatialTransformer: Sendable {
  package struct CrossAttention: Sendable {
    package let q, k, v, out: Linear
    package let attention: Attention

    package init(_ source: any WeightSource, _ path: String, width: Int, contextWidth: Int, heads: Int) throws {
      q = try Linear(source, path + ".to_q", inputs: width, outputs: width, hasBias: false)
      k = try Linear(source, path + ".to_k", inputs: contextWidth, outputs: width, hasBias: false)
      v = try Linear(source, path + ".to_v", inputs: contextWidth, outputs: width, hasBias: false)
      out = try Linear(source, path + ".to_out.0", inputs: width, outputs: width)
      attention = Attention(
        path: path + ".attention", heads: heads, rounding: .init(beside: [q.weight, k.weight, v.weight]))
    }

    /// Keys and values of a context: `[batch, tokens, width]` each.
    package func keysAndValues(_ run: Execution, _ context: Activation) throws -> KeysAndValues {
      let made = KeysAndValues(
        keys: run.take(like: context, channels: k.weight.outputs),
        values: run.take(like: context, channels: v.weight.outputs))
      try run.linear(k, context, into: made.keys)
      try run.linear(v, context, into: made.values)
      return made
    }

    /// - Throws: ``RuntimeError/nonFinite(operation:count:of:)``.
    package func requireFinite(_ run: Execution, _ made: KeysAndValues) throws {
      guard !run.isPlanning else { return }
      for (layer, x) in [(k, made.keys), (v, made.values)] {
        let count = x.nonFiniteCount
        if count > 0 { throw RuntimeError.nonFinite(operation: layer.path, count: count, of: x.count) }
      }
    }

    /// Adds the attention of `normed` to x.
    /// - Parameter seen: what it looks at; nil: itself.
    package func forward(
      _ run: Execution, _ normed: Activation, seen: KeysAndValues? = nil, addingTo x: Activation
    ) throws {
      let queries = run.take(like: x)
      try run.linear(q, normed, into: queries)
      let looked = try seen ?? keysAndValues(run, normed)
      try run.attend(attention, q: queries, k: looked.keys, v: looked.values, into: queries)
      try run.linear(out, queries, plus: x, into: x)
      run.give(queries)
      if seen == nil { looked.give(run) }
    }
  }

  package struct KeysAndValues {
    package let keys, values: Activation

    package func give(_ run: Execution) { [keys, values].forEach(run.give) }
  }

  package struct Block: Sendable {
    package let path, gateName: String
    package let norm1, norm2, norm3: LayerNorm
    package let own, cross: CrossAttention
    package let up, down: Linear

    package init(_ source: any WeightSource, _ path: String, width: Int, contextWidth: Int, heads: Int) throws {
      self.path = path
      gateName = path + ".ff.geglu"
      norm1 = try LayerNorm(source, path + ".norm1", channels: width, epsilon: 1e-5)
      norm2 = try LayerNorm(source, path + ".norm2", channels: width, epsilon: 1e-5)
      norm3 = try LayerNorm(source, path + ".norm3", channels: width, epsilon: 1e-5)
      own = try CrossAttention(source, path + ".attn1", width: width, contextWidth: width, heads: heads)
      cross = try CrossAttention(source, path + ".attn2", width: width, contextWidth: contextWidth, heads: heads)
      up = try Linear(source, path + ".ff.net.0.proj", inputs: width, outputs: 8 * width)
      down = try Linear(source, path + ".ff.net.2", inputs: 4 * width, outputs: width)
    }

    /// - Parameter x: `[batch, pixels, width]`, in place.
    package func forward(_ run: Execution, _ x: Activation, seen: KeysAndValues) throws {
      let normed = run.take(like: x)
      try run.norm(norm1, x, into: normed)
      try own.forward(run, normed, addingTo: x)
      try run.norm(norm2, x, into: normed)
      try cross.forward(run, normed, seen: seen, addingTo: x)
      try run.norm(norm3, x, into: normed)
      let both = run.take(like: x, channels: up.weight.outputs)
      try run.linear(up, normed, into: both)
      run.give(normed)
      let inner = run.take(like: x, channels: down.weight.inputs)
      try run.geluGate(gateName, both: both, into: inner)
      run.give(both)
      try run.linear(down, inner, plus: x, into: x)
      run.give(inner)
      try run.emit(path, x)
    }
  }

  package let path: String
  package let norm: GroupNorm
  package let input, output: Linear
  package let blocks: [Block]

  package init(
    _ source: any WeightSource, _ path: String, channels: Int, contextWidth: Int, heads: Int, depth: Int, groups: Int
  ) throws {
    self.path = path
    norm = try GroupNorm(source, path + ".norm", channels: channels, groups: groups, epsilon: 1e-6)
    input = try Linear(source, path + ".proj_in", inputs: channels, outputs: channels)
    output = try Linear(source, path + ".proj_out", inputs: channels, outputs: channels)
    blocks = try (0..<depth).map {
      try Block(
        source, path + ".transformer_blocks.\($0)", width: channels, contextWidth: contextWidth, heads: heads)
    }
  }

  /// What each block reads of a context, `[batch, tokens, contextWidth]`: it does not change from step to step.
  package func keysAndValues(_ run: Execution, _ context: Activation) throws -> [KeysAndValues] {
    try blocks.map { try $0.cross.keysAndValues(run, context) }
  }

  /// - Parameters:
  ///   - x: `[batch, height, width, channels]`, in place.
  ///   - seen: of each block.
  package func forward(_ run: Execution, _ x: Activation, seen: [KeysAndValues]) throws {
    precondition(seen.count == blocks.count, "of another network")
    let normed = run.take(like: x)
    let h = run.take(batch: x.batch, width: x.pixelCount, channels: x.channels)
    try run.norm(norm, x, into: normed)
    try run.linear(input, normed, into: h)
    run.give(normed)
    for (block, seen) in zip(blocks, seen) { try block.forward(run, h, seen: seen) }
    try run.linear(output, h, plus: x, into: x)
    run.give(h)
    try run.emit(path, x)
  }
}
