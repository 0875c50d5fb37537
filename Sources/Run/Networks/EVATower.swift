import NetworkRuntime

/// The EVA-CLIP tower: a picture as CLIP features. Blocks normalise after, and there is no last norm.
///
/// Source: Sun et al., "EVA-CLIP"; BLIP3-o's eva_vit.
public struct EVATower: Sendable {
  package let prefix: String
  package struct Block: Sendable {
    package let path: String
    package let norm1, norm2: LayerNorm
    package let qkv, proj, fc1, fc2: Linear
    package let attention: Attention
    package let parts: [String]
    package let gelu, residual1, residual2: String

    package init(_ source: any WeightSource, _ path: String, _ config: EVAConfig) throws {
      self.path = path
      let width = config.width
      norm1 = try LayerNorm(source, path + ".norm1", channels: width, epsilon: 1e-6)
      norm2 = try LayerNorm(source, path + ".norm2", channels: width, epsilon: 1e-6)
      qkv = try Linear(source, path + ".attn.qkv", inputs: width, outputs: 3 * width)
      proj = try Linear(source, path + ".attn.proj", inputs: width, outputs: width)
      fc1 = try Linear(source, path + ".mlp.fc1", inputs: width, outputs: config.feedForwardWidth)
      fc2 = try Linear(source, path + ".mlp.fc2", inputs: config.feedForwardWidth, outputs: width)
      attention = Attention(path: path + ".attn.attention", heads: config.headCount)
      parts = ["q", "k", "v"].map { path + ".attn." + $0 }
      gelu = path + ".mlp.gelu"
      residual1 = path + ".attn_residual"
      residual2 = path + ".mlp_residual"
    }
  }

  /// Patches a side that are averaged into one feature.
  package static let pool = 4

  public let config: EVAConfig
  package let patch: Linear
  package let classToken, positions: Vector
  package let blocks: [Block]

  /// - Parameter prefix: of the weights' names, and of the operations' paths: `llm` for `llm.norm.weight`.
  public init(_ source: any WeightSource, prefix: String, _ config: EVAConfig) throws {
    self.prefix = prefix
    self.config = config
    let weight = try source.weight(
      "\(prefix).patch_embed.proj.weight", shape: [config.width, 3, config.patchSize, config.patchSize])
    patch = Linear(
      path: "\(prefix).patch_embed.proj", weight: weight,
      bias: try source.vector("\(prefix).patch_embed.proj.bias", shape: [config.width]))
    classToken = try source.vector("\(prefix).cls_token", shape: [1, 1, config.width])
    positions = try source.vector(
      "\(prefix).pos_embed", shape: [1, config.gridSide * config.gridSide + 1, config.width])
    blocks = try (0..<config.layerCount).map { try Block(source, "\(prefix).blocks.\($0)", config) }
  }

  /// - Parameters:
  ///   - pixels: `[patches, 3 * patchSize * patchSize]`, patches row by row.
  ///   - out: `[patches, width]`, overwritten.
  public func forward(_ run: Execution, _ pixels: Activation, into out: Activation) throws {
    let count = config.gridSide * config.gridSide
    precondition(pixels.rowCount == count && out.rowCount == count)
    let x = run.take(width: count + 1, channels: config.width)
    try run.linear(patch, pixels, into: x.tokens(1..<count + 1))
    run.fill(x) { values in
      for index in 0..<config.width { values[index] = classToken.values[index] }
      for index in values.indices { values[index] += positions.values[index] }
    }
    try run.emit("\(prefix).embeddings", x)
    let y = run.take(like: x)
    for block in blocks {
      let all = run.take(like: x, channels: 3 * config.width)
      try run.linear(block.qkv, x, into: all)
      let parts = (0..<3).map { _ in run.take(like: x) }
      for part in 0..<3 { try run.part(block.parts[part], of: all, number: part, into: parts[part]) }
      run.give(all)
      try run.attend(block.attention, q: parts[0], k: parts[1], v: parts[2], into: parts[0])
      try run.linear(block.proj, parts[0], into: y)
      parts.forEach(run.give)
      try run.norm(block.norm1, y, into: y)
      try run.add(block.residual1, y, to: x)
      let inner = run.take(like: x, channels: config.feedForwardWidth)
      try run.linear(block.fc1, x, into: inner)
      try run.apply(.gelu, block.gelu, to: inner)
      try run.linear(block.fc2, inner, into: y)
      run.give(inner)
      try run.norm(block.norm2, y, into: y)
      try run.add(block.residual2, y, to: x)
      try run.emit(block.path, x)
    }
    run.give(y)
    run.fill(out) { $0.baseAddress!.update(from: x.base + config.width, count: $0.count) }
    run.give(x)
    try run.emit("\(prefix).features", out)
  }

  /// Averages of 4 x 4 patches: `[features, width]`.
  package func pooled(_ features: [Float]) -> [Float] {
    let side = config.gridSide / Self.pool
    var pooled = [Float](repeating: 0, count: side * side * config.width)
    for row in 0..<side * Self.pool {
      for column in 0..<side * Self.pool {
        let source = (row * config.gridSide + column) * config.width
        let target = (row / Self.pool * side + column / Self.pool) * config.width
        for index in 0..<config.width { pooled[target + index] += features[source + index] }
      }
    }
    return pooled.map { $0 / Float(Self.pool * Self.pool) }
  }
}
