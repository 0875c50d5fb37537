import NetworkRuntime

/// Sizes of the NextDiT. The release's config.json has none: they are read off the tensors' shapes. Other scales may
/// state them under `dit_config`.
public struct DiTConfig: Sendable, Equatable {
  /// Side of the grid of features.
  public let gridSide: Int
  /// Channels of a feature.
  public let channels: Int
  public let width: Int
  public let layerCount: Int
  public let headCount: Int
  public let keyHeadCount: Int
  public let feedForwardWidth: Int
  public let normEpsilon: Double

  public var headWidth: Int { width / headCount }
  /// Width of the time embedding.
  public var conditionWidth: Int { min(width, 1024) }

  package init(_ config: ConfigReader, prefix: String, queryCount: Int, shapes: (String) -> [Int]?) throws(ConfigError)
  {
    func shape(_ name: String, rank: Int) throws(ConfigError) -> [Int] {
      try config.shape("\(prefix).\(name)", rank: rank, in: shapes)
    }
    let patch = try shape("patch_embedder.proj.weight", rank: 2)
    width = patch[0]
    channels = patch[1]
    headCount = try shape("layers.0.gate", rank: 1)[0]
    feedForwardWidth = try shape("layers.0.feed_forward.linear_1.weight", rank: 2)[0]
    let keyWidth = try shape("layers.0.attn1.to_k.weight", rank: 2)[0]
    var layers = 0
    while shapes("\(prefix).layers.\(layers).gate") != nil { layers += 1 }
    layerCount = layers
    let section = config.section("dit_config")
    try section?.close(.dit)
    normEpsilon = try section?.double("norm_eps", default: 1e-5) ?? 1e-5
    let square = Int(Double(queryCount).squareRoot())
    gridSide =
      try section?.int("input_size", in: 1...384, default: 8) ?? (square * square == queryCount ? square : 8)
    try config.require(headCount > 0 && width % headCount == 0, "\(prefix).layers.0.gate", "does not divide the width")
    try config.requireHeads(width: width / headCount, "\(prefix).layers.0.gate")
    keyHeadCount = keyWidth / (width / headCount)
    try config.require(
      keyHeadCount > 0 && keyHeadCount * (width / headCount) == keyWidth && headCount % keyHeadCount == 0,
      "\(prefix).layers.0.attn1.to_k.weight", "does not divide into heads")
    try config.require(
      width / headCount % 4 == 0, "\(prefix).layers.0.gate", "gives heads whose width is no multiple of 4")
  }
}
