import NetworkRuntime

/// The decoder half of the image autoencoder: latents to a picture.
///
/// Source: Rombach et al., "High-Resolution Image Synthesis with Latent Diffusion Models"; diffusers, AutoencoderKL.
///
/// Convolutions work through the picture in tiles; norms take their sums over the whole of it first, so the cut changes
/// nothing.
public struct VAEDecoder: Sendable {
  package let prefix: String
  package struct MiddleAttention: Sendable {
    package let path: String
    package let norm: GroupNorm
    package let q, k, v, out: Linear
    package let attention: Attention
  }

  package struct Level: Sendable {
    package let path: String
    package let resnets: [ResidualBlock]
    package let upsampler: Convolution?
  }

  public let config: VAEConfig
  package let postQuantization: Convolution?
  package let input: Convolution
  package let middle: [ResidualBlock]
  package let attention: MiddleAttention
  package let up: [Level]
  package let outNorm: GroupNorm
  package let output: Convolution

  /// - Parameter prefix: of the weights' names, and of the operations' paths: `llm` for `llm.norm.weight`.
  public init(_ source: any WeightSource, prefix: String, _ config: VAEConfig) throws {
    self.prefix = prefix
    self.config = config
    let epsilon = 1e-6
    let latent = config.latentChannels
    let deepest = config.channels.last!
    postQuantization =
      config.hasPostQuantization
      ? try Convolution(source, "\(prefix).post_quant_conv", channels: latent, outputs: latent, kernel: 1) : nil
    input = try Convolution(source, "\(prefix).decoder.conv_in", channels: latent, outputs: deepest)
    func resnet(_ path: String, _ inputs: Int, _ outputs: Int) throws -> ResidualBlock {
      try ResidualBlock(
        source, path, channels: inputs, outputs: outputs, groups: config.groups, epsilon: epsilon, timeWidth: nil)
    }
    middle = try (0..<2).map { try resnet("\(prefix).decoder.mid_block.resnets.\($0)", deepest, deepest) }
    let path = "\(prefix).decoder.mid_block.attentions.0"
    attention = MiddleAttention(
      path: path,
      norm: try GroupNorm(
        source, path + ".group_norm", channels: deepest, groups: config.groups, epsilon: Float(epsilon)),
      q: try Linear(source, path + ".to_q", inputs: deepest, outputs: deepest),
      k: try Linear(source, path + ".to_k", inputs: deepest, outputs: deepest),
      v: try Linear(source, path + ".to_v", inputs: deepest, outputs: deepest),
      out: try Linear(source, path + ".to_out.0", inputs: deepest, outputs: deepest),
      attention: Attention(path: path + ".attention", heads: 1))
    let reversed = Array(config.channels.reversed())
    up = try reversed.indices.map { number in
      let path = "\(prefix).decoder.up_blocks.\(number)"
      return Level(
        path: path,
        resnets: try (0...config.layersPerBlock).map {
          try resnet(
            path + ".resnets.\($0)", $0 == 0 ? reversed[max(0, number - 1)] : reversed[number], reversed[number])
        },
        upsampler: number == reversed.count - 1
          ? nil
          : try Convolution(
            source, path + ".upsamplers.0.conv", channels: reversed[number], outputs: reversed[number]))
    }
    outNorm = try GroupNorm(
      source, "\(prefix).decoder.conv_norm_out", channels: config.channels[0], groups: config.groups,
      epsilon: Float(epsilon))
    output = try Convolution(
      source, "\(prefix).decoder.conv_out", channels: config.channels[0], outputs: config.outputChannels)
  }

  /// - Parameters:
  ///   - latents: `[batch, height, width, latentChannels]`, divided by the scaling factor.
  ///   - image: `[batch, scale * height, scale * width, 3]`, about -1...1, overwritten.
  public func forward(_ run: Execution, _ latents: Activation, into image: Activation) throws {
    var z = latents
    if let postQuantization {
      z = run.take(like: latents)
      try run.convolve(postQuantization, ConvolutionInput(latents), into: z)
    }
    var h = run.take(like: latents, channels: input.outputs)
    try run.convolve(input, ConvolutionInput(z), into: h)
    if postQuantization != nil { run.give(z) }
    h = try middle[0].forward(run, h, embedding: nil, keeping: false)
    try attend(run, h)
    h = try middle[1].forward(run, h, embedding: nil, keeping: false)
    try run.emit("\(prefix).decoder.mid_block", h)
    for level in up {
      for resnet in level.resnets { h = try resnet.forward(run, h, embedding: nil, keeping: false) }
      if let upsampler = level.upsampler { h = try run.upsample(h, upsampler) }
      try run.emit(level.path, h)
    }
    let scale = try run.groupScale(outNorm, h)
    try run.convolve(output, ConvolutionInput(h, norm: scale), into: image)
    run.give(scale)
    run.give(h)
  }

  /// Attention of all pixels to each other, in place.
  private func attend(_ run: Execution, _ x: Activation) throws {
    let tokens = x.flat
    let normed = run.take(like: tokens)
    try run.norm(attention.norm, x, into: normed)
    let q = run.take(like: tokens)
    let k = run.take(like: tokens)
    let v = run.take(like: tokens)
    try run.linear(attention.q, normed, into: q)
    try run.linear(attention.k, normed, into: k)
    try run.linear(attention.v, normed, into: v)
    run.give(normed)
    try run.attend(attention.attention, q: q, k: k, v: v, into: q)
    try run.linear(attention.out, q, plus: tokens, into: tokens)
    run.give(q)
    run.give(k)
    run.give(v)
    try run.emit(attention.path, x)
  }
}
