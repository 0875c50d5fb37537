/// Sizes of the UNet. Source: diffusers, UNet2DConditionModel's configuration, and the SDXL shape of it.
public struct UNetConfig: Sendable, Equatable {
  public let channels: [Int]
  public let layersPerBlock: Int
  /// Transformer blocks of each level; 0 where the level has no attention.
  public let depths: [Int]
  /// Heads of each level. The release's key for it is `attention_head_dim`.
  public let headCounts: [Int]
  public let groups: Int
  public let normEpsilon: Double
  public let contextWidth: Int
  public let timeIDWidth: Int
  public let embeddingInputs: Int
  public let inputChannels: Int
  public let outputChannels: Int
  /// Side of the latents that the model was trained for.
  public let sampleSize: Int
  public let isSineFirst: Bool

  public var timeWidth: Int { channels[0] * 4 }

  package init(_ config: ConfigReader) throws(ConfigError) {
    try config.close(.unet)
    channels = try config.ints("block_out_channels", in: 1...16_384)
    let levels = channels.count
    try config.require(levels <= 8, "block_out_channels", "has more than 8 levels")
    layersPerBlock = try config.int("layers_per_block", in: 1...64)
    let heads = try config.ints("attention_head_dim", count: levels, in: 1...1024)
    let depths = try config.ints("transformer_layers_per_block", count: levels, in: 0...256)
    let types = try config.texts("down_block_types")
    let upTypes = try config.texts("up_block_types")
    try config.require(types.count == levels && upTypes.count == levels, "down_block_types", "has another length")
    for (index, type) in types.enumerated() {
      try config.require(
        ["DownBlock2D", "CrossAttnDownBlock2D"].contains(type), "down_block_types", "has '\(type)': not supported")
      let up = type == "DownBlock2D" ? "UpBlock2D" : "CrossAttnUpBlock2D"
      try config.require(
        upTypes[levels - 1 - index] == up, "up_block_types", "does not mirror down_block_types")
    }
    self.depths = zip(types, depths).map { $0 == "DownBlock2D" ? 0 : $1 }
    headCounts = heads
    groups = try config.int("norm_num_groups", in: 1...1024, default: 32)
    normEpsilon = try config.double("norm_eps", default: 1e-5)
    contextWidth = try config.int("cross_attention_dim", in: 1...65_536)
    timeIDWidth = try config.int("addition_time_embed_dim", in: 2...4096)
    embeddingInputs = try config.int("projection_class_embeddings_input_dim", in: 1...1 << 20)
    inputChannels = try config.int("in_channels", in: 1...64, default: 4)
    outputChannels = try config.int("out_channels", in: 1...64, default: 4)
    sampleSize = try config.int("sample_size", in: 1...1024, default: 128)
    isSineFirst = try !config.bool("flip_sin_to_cos", default: true)
    try config.require(inputChannels == outputChannels, "in_channels", "is not out_channels: not supported")
    for (channel, head) in zip(channels, heads) {
      try config.require(channel % groups == 0, "block_out_channels", "is no multiple of norm_num_groups")
      try config.require(channel % head == 0, "attention_head_dim", "does not divide block_out_channels")
      try config.requireHeads(width: channel / head, "attention_head_dim")
    }
    try config.require(channels[0] % 2 == 0, "block_out_channels", "starts with an odd number")
    try config.require(timeIDWidth % 2 == 0, "addition_time_embed_dim", "is odd")
    try config.require(
      embeddingInputs == contextWidth + 6 * timeIDWidth, "projection_class_embeddings_input_dim",
      "is not cross_attention_dim + 6 * addition_time_embed_dim")
    try config.require(
      config.has("use_linear_projection"), "use_linear_projection", "is missing: only true is implemented")
    try config.require(
      config.has("addition_embed_type"), "addition_embed_type", "is missing: only 'text_time' is implemented")
  }
}

/// Sizes of the image autoencoder. Source: diffusers, AutoencoderKL's configuration.
public struct VAEConfig: Sendable, Equatable {
  public let channels: [Int]
  public let layersPerBlock: Int
  public let groups: Int
  public let latentChannels: Int
  public let outputChannels: Int
  public let scalingFactor: Double
  public let hasPostQuantization: Bool

  /// Pixels of the picture for one of the latents, a side.
  public var scale: Int { 1 << (channels.count - 1) }

  package init(_ config: ConfigReader) throws(ConfigError) {
    try config.close(.vae)
    channels = try config.ints("block_out_channels", in: 1...16_384)
    try config.require(channels.count <= 8, "block_out_channels", "has more than 8 levels")
    layersPerBlock = try config.int("layers_per_block", in: 1...64, default: 1)
    groups = try config.int("norm_num_groups", in: 1...1024, default: 32)
    latentChannels = try config.int("latent_channels", in: 1...256, default: 4)
    outputChannels = try config.int("out_channels", in: 1...64, default: 3)
    scalingFactor = try config.double("scaling_factor", default: 0.18215)
    hasPostQuantization = try config.bool("use_post_quant_conv", default: true)
    try config.require(outputChannels == 3, "out_channels", "is not 3")
    try config.requireHeads(width: channels.last!, "block_out_channels")
    try config.require(scalingFactor > 0, "scaling_factor", "is not positive")
    for channel in channels {
      try config.require(channel % groups == 0, "block_out_channels", "is no multiple of norm_num_groups")
    }
  }
}
