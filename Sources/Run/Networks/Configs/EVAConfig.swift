/// Sizes of the EVA-CLIP tower. The release's config.json has none: they are read off the tensors' shapes, the width of a head
/// is that of EVA-CLIP-E. Other scales may state it under `eva_config`.
public struct EVAConfig: Sendable, Equatable {
  public let width: Int
  public let layerCount: Int
  public let headCount: Int
  public let feedForwardWidth: Int
  public let patchSize: Int
  /// Patches a side.
  public let gridSide: Int

  /// Pixels a side at the most: pictures are held in memory.
  package static let pixelLimit = 4096

  public var imageSize: Int { gridSide * patchSize }

  package init(_ config: ConfigReader, prefix: String, shapes: (String) -> [Int]?) throws(ConfigError) {
    func shape(_ name: String, rank: Int) throws(ConfigError) -> [Int] {
      try config.shape("\(prefix).\(name)", rank: rank, in: shapes)
    }
    let position = try shape("pos_embed", rank: 3)
    width = position[2]
    patchSize = try shape("patch_embed.proj.weight", rank: 4)[3]
    try config.require(patchSize <= 1024, "\(prefix).patch_embed.proj.weight", "has patches of \(patchSize) pixels")
    feedForwardWidth = try shape("blocks.0.mlp.fc1.weight", rank: 2)[0]
    var layers = 0
    while shapes("\(prefix).blocks.\(layers).norm1.weight") != nil { layers += 1 }
    layerCount = layers
    try config.section("eva_config")?.close(.eva)
    let headWidth = try config.section("eva_config")?.int("head_width", in: 1...65_536, default: 112) ?? 112
    gridSide = Int(Double(max(0, position[1] - 1)).squareRoot())
    headCount = max(1, width / headWidth)
    try config.require(
      gridSide <= Self.pixelLimit / patchSize, "\(prefix).pos_embed",
      "asks for pictures of \(gridSide) patches of \(patchSize) pixels a side, more than \(Self.pixelLimit) pixels")
    try config.require(
      gridSide > 0 && gridSide * gridSide + 1 == position[1], "\(prefix).pos_embed", "is not a square and one more")
    try config.requireHeads(width: width / headCount, "\(prefix).pos_embed")
    try config.require(width % headCount == 0, "\(prefix).pos_embed", "does not divide into heads")
  }
}
