/// How pictures are brought to the vision tower. Source: preprocessor_config.json; what is missing there is as in the release's own code,
/// which takes Qwen2.5-VL-7B-Instruct's.
public struct PreprocessorConfig: Sendable, Equatable {
  /// Area of a picture in pixels, after resizing.
  public var pixelRange = 3136...12_845_056
  public var mean: [Float] = [0.48145466, 0.4578275, 0.40821073]
  public var deviation: [Float] = [0.26862954, 0.26130258, 0.27577711]

  public init() {}

  /// - Parameter vision: sizes that the file repeats must be the tower's.
  package init(_ config: ConfigReader, _ vision: VisionConfig) throws(ConfigError) {
    try config.close(.preprocessor)
    for (key, value) in [
      ("patch_size", vision.patchSize), ("merge_size", vision.mergeSize),
      ("temporal_patch_size", vision.temporalPatchSize),
    ] {
      let stated = try config.int(key, in: 1...1024, default: value)
      try config.require(stated == value, key, "is \(stated), where config.json says \(value)")
    }
    // Later versions write the limits as the edges of `size`.
    let size = config.section("size")
    let limits = 1...Self.pixelLimit
    let low = try config.int(
      "min_pixels", in: limits, default: size?.int("shortest_edge", in: limits, default: 3136) ?? 3136)
    let high = try config.int(
      "max_pixels", in: limits, default: size?.int("longest_edge", in: limits, default: 12_845_056) ?? 12_845_056)
    try config.require(low <= high, "min_pixels", "is more than max_pixels")
    pixelRange = low...high
    if config.has("image_mean") { mean = try config.doubles("image_mean", count: 3).map(Float.init) }
    if config.has("image_std") { deviation = try config.doubles("image_std", count: 3).map(Float.init) }
    try config.require(deviation.allSatisfy { $0 > 0 }, "image_std", "has an entry that is not positive")
  }

  /// Pixels of a picture at the most: more than cameras take.
  package static let pixelLimit = 1 << 27
}
