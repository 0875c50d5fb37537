import NetworkRuntime

/// The UNet of the picture decoder, in SDXL's shape, conditioned on CLIP features.
///
/// Source: Podell et al., "SDXL"; diffusers, UNet2DConditionModel; Emu2's decoder.
public struct UNet: Sendable {
  package let prefix: String
  package struct Level: Sendable {
    package let path: String
    package let resnets: [ResidualBlock]
    /// Empty, or one for each residual block.
    package let transformers: [SpatialTransformer]
    /// Down: halves the sides. Up: doubles them.
    package let resampler: Convolution?
  }

  public let config: UNetConfig
  package let input: Convolution
  package let time, added: (Linear, Linear)
  package let down: [Level]
  package let middle: Level
  package let up: [Level]
  package let outNorm: GroupNorm
  package let output: Convolution

  /// - Parameter prefix: of the weights' names, and of the operations' paths: `llm` for `llm.norm.weight`.
  public init(_ source: any WeightSource, prefix: String, _ config: UNetConfig) throws {
    self.prefix = prefix
    self.config = config
    let channels = config.channels
    input = try Convolution(source, "\(prefix).conv_in", channels: config.inputChannels, outputs: channels[0])
    time = (
      try Linear(source, "\(prefix).time_embedding.linear_1", inputs: channels[0], outputs: config.timeWidth),
      try Linear(source, "\(prefix).time_embedding.linear_2", inputs: config.timeWidth, outputs: config.timeWidth)
    )
    added = (
      try Linear(source, "\(prefix).add_embedding.linear_1", inputs: config.embeddingInputs, outputs: config.timeWidth),
      try Linear(source, "\(prefix).add_embedding.linear_2", inputs: config.timeWidth, outputs: config.timeWidth)
    )
    func resnet(_ path: String, _ inputs: Int, _ outputs: Int) throws -> ResidualBlock {
      try ResidualBlock(
        source, path, channels: inputs, outputs: outputs, groups: config.groups, epsilon: config.normEpsilon,
        timeWidth: config.timeWidth)
    }
    func transformer(_ path: String, level: Int, depth: Int) throws -> SpatialTransformer {
      try SpatialTransformer(
        source, path, channels: channels[level], contextWidth: config.contextWidth, heads: config.headCounts[level],
        depth: depth, groups: config.groups)
    }
    let last = channels.count - 1
    down = try channels.indices.map { level in
      let path = "\(prefix).down_blocks.\(level)"
      return Level(
        path: path,
        resnets: try (0..<config.layersPerBlock).map {
          try resnet(path + ".resnets.\($0)", $0 == 0 ? channels[max(0, level - 1)] : channels[level], channels[level])
        },
        transformers: config.depths[level] == 0
          ? []
          : try (0..<config.layersPerBlock).map {
            try transformer(path + ".attentions.\($0)", level: level, depth: config.depths[level])
          },
        resampler: level == last
          ? nil
          : try Convolution(
            source, path + ".downsamplers.0.conv", channels: channels[level], outputs: channels[level], stride: 2))
    }
    middle = Level(
      path: "\(prefix).mid_block",
      resnets: try (0..<2).map { try resnet("\(prefix).mid_block.resnets.\($0)", channels[last], channels[last]) },
      transformers: [
        try transformer("\(prefix).mid_block.attentions.0", level: last, depth: max(1, config.depths[last]))
      ], resampler: nil)
    up = try channels.indices.map { number in
      let level = last - number
      let path = "\(prefix).up_blocks.\(number)"
      // What comes from below, and what the down path kept: the first input of a level is the output of the one above.
      let below = channels[min(last, level + 1)]
      return Level(
        path: path,
        resnets: try (0...config.layersPerBlock).map { index in
          let kept = index == config.layersPerBlock ? channels[max(0, level - 1)] : channels[level]
          return try resnet(
            path + ".resnets.\(index)", (index == 0 ? below : channels[level]) + kept, channels[level])
        },
        transformers: config.depths[level] == 0
          ? []
          : try (0...config.layersPerBlock).map {
            try transformer(path + ".attentions.\($0)", level: level, depth: config.depths[level])
          },
        resampler: level == 0
          ? nil
          : try Convolution(
            source, path + ".upsamplers.0.conv", channels: channels[level], outputs: channels[level]))
    }
    outNorm = try GroupNorm(
      source, "\(prefix).conv_norm_out", channels: channels[0], groups: config.groups,
      epsilon: Float(config.normEpsilon))
    output = try Convolution(source, "\(prefix).conv_out", channels: channels[0], outputs: config.outputChannels)
  }

  /// Sides of latents must divide by this.
  public var sideMultiple: Int { 1 << (config.channels.count - 1) }

  /// What does not change from step to step: keys and values of the context for every transformer, the context's mean, and sizes.
  public struct Context {
    /// Of each transformer, in the order in which a step meets them.
    let seen: [[SpatialTransformer.KeysAndValues]]
    let pooled: Activation
    let timeIDs: [Int]
  }

  /// Works out what features come to, once for all steps.
  /// - Parameters:
  ///   - features: `[batch, tokens, contextWidth]`.
  ///   - pooled: `[batch, 1, contextWidth]`, the mean of the features, which the context keeps.
  ///   - timeIDs: original height and width, crop, target height and width.
  /// - Throws: ``RuntimeError/nonFinite(operation:count:of:)``.
  public func context(
    _ run: Execution, _ features: Activation, pooled: Activation, timeIDs: [Int]
  ) throws -> Context {
    let seen = try (down + [middle] + up).flatMap(\.transformers).map { transformer in
      let made = try transformer.keysAndValues(run, features)
      for (block, one) in zip(transformer.blocks, made) { try block.cross.requireFinite(run, one) }
      return made
    }
    return Context(seen: seen, pooled: pooled, timeIDs: timeIDs)
  }

  public func give(_ run: Execution, _ context: Context) {
    context.seen.joined().forEach { $0.give(run) }
    run.give(context.pooled)
  }

  /// The noise in the latents.
  /// - Parameters:
  ///   - x: `[batch, height, width, 4]`, scaled for the step.
  ///   - noise: like x, overwritten.
  public func forward(
    _ run: Execution, _ x: Activation, timestep: Float, _ context: Context, into noise: Activation
  ) throws {
    var seen = context.seen[...]
    let embedding = try timeEmbedding(run, batch: x.batch, timestep, context.pooled, context.timeIDs)
    var h = run.take(like: x, channels: config.channels[0])
    try run.convolve(input, ConvolutionInput(x), into: h)
    var kept = [h]
    for level in down {
      for (index, resnet) in level.resnets.enumerated() {
        // h is the last that was kept: it stays.
        h = try resnet.forward(run, h, embedding: embedding, keeping: true)
        if !level.transformers.isEmpty { try level.transformers[index].forward(run, h, seen: seen.removeFirst()) }
        kept.append(h)
      }
      if let resampler = level.resampler {
        let half = run.take(
          batch: h.batch, height: (h.height + 1) / 2, width: (h.width + 1) / 2, channels: h.channels)
        try run.convolve(resampler, ConvolutionInput(h), into: half)
        h = half
        kept.append(h)
      }
      try run.emit(level.path, h)
    }
    h = try middle.resnets[0].forward(run, h, embedding: embedding, keeping: true)
    try middle.transformers[0].forward(run, h, seen: seen.removeFirst())
    h = try middle.resnets[1].forward(run, h, embedding: embedding, keeping: false)
    try run.emit(middle.path, h)
    for level in up {
      for (index, resnet) in level.resnets.enumerated() {
        let skip = kept.removeLast()
        let both = run.take(like: h, channels: h.channels + skip.channels)
        try run.concatenate(resnet.path + ".concatenate", h, skip, into: both)
        run.give(h)
        run.give(skip)
        h = try resnet.forward(run, both, embedding: embedding, keeping: false)
        if !level.transformers.isEmpty { try level.transformers[index].forward(run, h, seen: seen.removeFirst()) }
      }
      if let resampler = level.resampler { h = try run.upsample(h, resampler) }
      try run.emit(level.path, h)
    }
    let scale = try run.groupScale(outNorm, h)
    try run.convolve(output, ConvolutionInput(h, norm: scale), into: noise)
    run.give(scale)
    run.give(h)
    run.give(embedding)
  }

  /// silu of the sum of two embeddings: of the step, and of pooled features with sizes.
  private func timeEmbedding(
    _ run: Execution, batch: Int, _ timestep: Float, _ pooled: Activation, _ timeIDs: [Int]
  ) throws -> Activation {
    let features = run.take(batch: batch, width: 1, channels: config.channels[0])
    run.fill(features) { values in
      for row in 0..<batch {
        Sinusoid.fill(
          values.baseAddress! + row * config.channels[0], of: timestep, width: config.channels[0],
          sineFirst: config.isSineFirst)
      }
    }
    try run.emit("\(prefix).time_proj", features)
    let idWidth = config.timeIDWidth
    let ids = run.take(batch: batch, width: timeIDs.count, channels: idWidth)
    run.fill(ids) { values in
      for row in 0..<ids.rowCount {
        Sinusoid.fill(
          values.baseAddress! + row * idWidth, of: Float(timeIDs[row % timeIDs.count]), width: idWidth,
          sineFirst: config.isSineFirst)
      }
    }
    try run.emit("\(prefix).add_time_proj", ids)
    let inner = run.take(batch: batch, width: 1, channels: config.timeWidth)
    let embedding = run.take(like: inner)
    try run.linear(time.0, features, into: inner)
    try run.apply(.silu, "\(prefix).time_embedding.silu", to: inner)
    try run.linear(time.1, inner, into: embedding)
    let joined = run.take(batch: batch, width: 1, channels: config.embeddingInputs)
    let idRow = Activation(ids.base, batch: batch, width: 1, channels: timeIDs.count * idWidth)
    try run.concatenate("\(prefix).add_embedding.concatenate", pooled, idRow, into: joined)
    try run.linear(added.0, joined, into: inner)
    try run.apply(.silu, "\(prefix).add_embedding.silu", to: inner)
    let sum = run.take(like: embedding)
    try run.linear(added.1, inner, into: sum)
    try run.add("\(prefix).embedding.sum", sum, to: embedding)
    try run.apply(.silu, "\(prefix).embedding.silu", to: embedding)
    run.give(features)
    run.give(ids)
    run.give(inner)
    run.give(joined)
    run.give(sum)
    return embedding
  }
}
