/// Sizes of the Qwen2.5-VL vision tower. Source: config.json, `vision_config`.
public struct VisionConfig: Sendable, Equatable {
  public let depth: Int
  public let hiddenSize: Int
  public let intermediateSize: Int
  public let headCount: Int
  public let channels: Int
  public let patchSize: Int
  /// Patches a side that become one token.
  public let mergeSize: Int
  /// Frames of a patch.
  public let temporalPatchSize: Int
  /// Pixels of a window, a side.
  public let windowSize: Int
  /// Blocks that look at the whole picture.
  public let fullAttentionBlocks: [Int]
  public let outputSize: Int

  public var headWidth: Int { hiddenSize / headCount }
  /// Values of a patch.
  public var patchWidth: Int { channels * temporalPatchSize * patchSize * patchSize }
  /// Tokens of a window, a side.
  public var windowTokens: Int { windowSize / patchSize / mergeSize }

  package init(_ config: ConfigReader) throws(ConfigError) {
    try config.close(.vision)
    depth = try config.int("depth", in: 1...1024)
    hiddenSize = try config.int("hidden_size", in: 1...65_536)
    intermediateSize = try config.int("intermediate_size", in: 1...1 << 20)
    headCount = try config.int("num_heads", in: 1...1024)
    channels = try config.int("in_channels", in: 3...3, default: 3)
    patchSize = try config.int("patch_size", in: 1...256, default: 14)
    let spatial = try config.int("spatial_patch_size", in: 1...256, default: patchSize)
    try config.require(spatial == patchSize, "spatial_patch_size", "is not patch_size")
    mergeSize = try config.int("spatial_merge_size", in: 1...16, default: 2)
    temporalPatchSize = try config.int("temporal_patch_size", in: 1...16, default: 2)
    windowSize = try config.int("window_size", in: 1...65_536, default: 112)
    fullAttentionBlocks = try config.ints("fullatt_block_indexes", in: 0...1023)
    outputSize = try config.int("out_hidden_size", in: 1...65_536)
    try config.require(hiddenSize % headCount == 0, "hidden_size", "is no multiple of num_heads")
    try config.requireHeads(width: headWidth, "num_heads")
    try config.require(headWidth % 4 == 0, "hidden_size", "gives heads whose width is no multiple of 4")
    try config.require(
      windowSize % (patchSize * mergeSize) == 0, "window_size", "is no multiple of patch_size * spatial_merge_size")
  }
}
