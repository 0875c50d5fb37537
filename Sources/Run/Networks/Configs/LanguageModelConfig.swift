/// Sizes of the Qwen2.5 decoder. Source: config.json of the release, flat keys.
public struct LanguageModelConfig: Sendable, Equatable {
  public let hiddenSize: Int
  public let intermediateSize: Int
  public let layerCount: Int
  public let headCount: Int
  public let keyValueHeadCount: Int
  public let vocabularySize: Int
  public let maxPositions: Int
  public let normEpsilon: Double
  public let ropeTheta: Double
  /// Frequencies that follow the time, row and column of a position.
  public let ropeSections: [Int]
  public let isTied: Bool
  public let queryCount: Int

  public var headWidth: Int { hiddenSize / headCount }

  /// - Parameter root: config.json; later versions keep these keys under `text_config`.
  package init(_ root: ConfigReader) throws(ConfigError) {
    let config = root.has("hidden_size") ? root : root.section("text_config") ?? root
    try config.close(.language)
    for key in ["rope_scaling", "rope_parameters"] { try config.section(key)?.close(.rope) }
    let rope = config.section("rope_scaling") ?? config.section("rope_parameters")
    hiddenSize = try config.int("hidden_size", in: 1...65_536)
    intermediateSize = try config.int("intermediate_size", in: 1...1 << 20)
    layerCount = try config.int("num_hidden_layers", in: 1...1024)
    headCount = try config.int("num_attention_heads", in: 1...1024)
    keyValueHeadCount = try config.int("num_key_value_heads", in: 1...1024)
    vocabularySize = try config.int("vocab_size")
    maxPositions = try config.int("max_position_embeddings", default: 32_768)
    normEpsilon = try config.double("rms_norm_eps", default: 1e-6)
    ropeTheta = try config.double("rope_theta", default: rope?.double("rope_theta", default: 1_000_000) ?? 1_000_000)
    isTied = try root.bool("tie_word_embeddings", default: false)
    queryCount = try root.int("n_query", in: 1...4096, default: 64)
    ropeSections =
      try rope.flatMap { (rope) throws(ConfigError) in
        rope.has("mrope_section") ? try rope.ints("mrope_section", count: 3, in: 0...4096) : nil
      } ?? []
    try config.require(hiddenSize % headCount == 0, "hidden_size", "is no multiple of num_attention_heads")
    try config.require(
      headCount % keyValueHeadCount == 0, "num_attention_heads", "is no multiple of num_key_value_heads")
    let stated = try config.int("head_dim", in: 1...65_536, default: headWidth)
    try config.require(
      stated == headWidth, "head_dim", "is \(stated): only hidden_size / num_attention_heads is implemented")
    try config.require(headWidth % 2 == 0, "hidden_size", "gives heads of odd width")
    try config.requireHeads(width: headWidth, "num_attention_heads")
    try config.require(ropeTheta > 0, "rope_theta", "is not positive")
    try config.require(
      ropeSections.isEmpty || ropeSections.reduce(0, +) == headWidth / 2, "mrope_section",
      "does not add up to half a head's width")
  }
}
