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

    /// Adds the attention of `normed` to `context` to x.
    package func forward(_ run: Execution, _ normed: Activation, context: Activation, addingTo x: Activation) throws {
      let queries = run.take(like: x)
      let keys = run.take(like: context, channels: x.channels)
      let values = run.take(like: keys)
      try run.linear(q, normed, into: queries)
      try run.linear(k, context, into: keys)
      try run.linear(v, context, into: values)
      try run.attend(attention, q: queries, k: keys, v: values, into: queries)
      try run.linear(out, queries, plus: x, into: x)
      run.give(queries)
      run.give(keys)
      run.give(values)
    }
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
    package func forward(_ run: Execution, _ x: Activation, context: Activation) throws {
      let normed = run.take(like: x)
      try run.norm(norm1, x, into: normed)
      try own.forward(run, normed, context: normed, addingTo: x)
      try run.norm(norm2, x, into: normed)
      try cross.forward(run, normed, context: context, addingTo: x)
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

  /// - Parameters:
  ///   - x: `[batch, height, width, channels]`, in place.
  ///   - context: `[batch, tokens, contextWidth]`.
  package func forward(_ run: Execution, _ x: Activation, context: Activation) throws {
    let normed = run.take(like: x)
    let h = run.take(batch: x.batch, width: x.pixelCount, channels: x.channels)
    try run.norm(norm, x, into: normed)
    try run.linear(input, normed, into: h)
    run.give(normed)
    for block in blocks { try block.forward(run, h, context: context) }
    try run.linear(output, h, plus: x, into: x)
    run.give(h)
    try run.emit(path, x)
  }
}
