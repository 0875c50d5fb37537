import Conversion
import Kernels
import ModelSources
import NetworkRuntime
import Networks
import Tensors
import Tokenization

/// A BLIP3-o model: a release folder or a `.bantam` file, its configurations read, its weights where they lie.
///
/// Opening reads headers and configurations. Networks are built when they are asked for; their weights are checked when
/// they are first used.
public final class Model: Sendable {
  /// Families that can be run. Others that a map is known for can be looked at, converted and compared.
  static let families: Set = ["blip3o"]

  public let path: String
  public let language: LanguageModelConfig
  public let tokenizer: Tokenizer
  /// Ids that the release's own code counts on.
  public let tokens: SpecialTokens
  /// Names of the parts that the file holds.
  public let components: [String]
  let source: ModelSource
  let map: ModelMap
  /// Matrices that stand in the place of the file's own.
  let substitutes: [String: TrialEncoding]

  /// - Throws: ``ModelError``, ``ConfigError``, or the errors of opening a source.
  public init(path: String) throws {
    self.path = path
    substitutes = [:]
    source = try ModelSource(path: path)
    map = try ModelMap(source)
    guard Self.families.contains(map.family) else {
      throw map.title.map { ModelError.notRunYet(path: path, title: $0) }
        ?? ModelError.notThisFamily(path: path, family: map.family)
    }
    components = map.components.map(\.name)
    let source = source
    language = try LanguageModelConfig(Self.config(source, "config.json"))
    tokenizer = try Tokenizer { try source.companion($0) }
    tokens = try SpecialTokens(tokenizer, path: path)
    for id in [tokens.image, tokens.imagePad, tokens.endOfText, tokens.endOfTurn] where id >= language.vocabularySize {
      throw ConfigError(
        file: "config.json", key: "vocab_size",
        rule: "is \(language.vocabularySize), but the tokenizer has a special token \(id)")
    }
  }

  public var family: String { map.family }

  /// A digest of its small tensors, norms and biases: two trainings of one architecture differ in them.
  public func fingerprint() throws -> String {
    let hash = SHA256()
    // In the order of their names: a folder and a native file of it hold one model.
    for tensor in map.components.flatMap(\.tensors).sorted(by: { $0.name.text < $1.name.text }) {
      let info = source.tensors[tensor.number].info
      guard info.byteCount <= 1 << 14 else { continue }
      let buffer = try AlignedBuffer(byteCount: info.byteCount)
      try source.read(tensor.number, at: 0, into: buffer.bytes)
      hash.update(UnsafeRawBufferPointer(buffer.bytes))
    }
    return hash.finish().description
  }

  /// Bytes of its tensors as they are stored.
  public var weightByteCount: Int { source.tensors.reduce(0) { $0 + $1.storedByteCount } }

  /// Whether any of its tensors has lost something already.
  public var isQuantized: Bool {
    map.components.contains { $0.tensors.contains { source.isQuantized($0.number) } }
  }

  /// Names of the matrices and kernels that its family does not protect altogether.
  public var quantizableWeights: [String] { weights(of: map.components) }

  /// Those of them that painting and answering use.
  public var runWeights: [String] {
    weights(of: map.components.filter { ["vision", "llm", "dit", "unet"].contains($0.name) })
  }

  private func weights(of components: [ModelMap.Component]) -> [String] {
    components.flatMap { component in
      component.tensors.filter { tensor in
        source.tensors[tensor.number].info.shape.count >= 2
          && map.quantization.level(role: tensor.role, component: component.name) != .keep
      }.map(\.name.text)
    }
  }

  private static func config(_ source: ModelSource, _ file: String) throws -> ConfigReader {
    guard let bytes = try source.companion(file) else {
      throw ModelError.fileMissing(path: source.path, file: file)
    }
    return try ConfigReader(file: file, bytes)
  }

  /// - Throws: ``ModelError/componentMissing(path:name:has:)``.
  public func require(_ names: String...) throws(ModelError) {
    for name in names where !components.contains(name) {
      throw .componentMissing(path: path, name: name, has: components)
    }
  }

  init(_ other: Model, substitutes: [String: TrialEncoding]) {
    path = other.path
    language = other.language
    tokenizer = other.tokenizer
    tokens = other.tokens
    components = other.components
    source = other.source
    map = other.map
    self.substitutes = substitutes
  }

  var weights: TrialWeights { TrialWeights(weights: ModelWeights(source, map), substitutes: substitutes) }

  public func languageModel() throws -> LanguageModel {
    try require("llm")
    return try LanguageModel(weights, prefix: "llm", language)
  }

  /// The learned queries, `[1, queries, hidden]`.
  public func queries() throws -> Vector {
    try require("queries")
    return try weights.vector("queries.latent_queries", shape: [1, language.queryCount, language.hiddenSize])
  }

  public func ditConfig() throws -> DiTConfig {
    try require("dit")
    let weights = weights
    return try DiTConfig(
      Self.config(source, "config.json"), prefix: "dit", queryCount: language.queryCount, shapes: weights.shape)
  }

  public func dit() throws -> NextDiT {
    try NextDiT(weights, prefix: "dit", ditConfig(), conditionInputs: language.hiddenSize)
  }

  public func unetConfig() throws -> UNetConfig {
    try require("unet")
    return try UNetConfig(Self.config(source, "diffusion-decoder/unet/config.json"))
  }

  public func unet() throws -> UNet { try UNet(weights, prefix: "unet", unetConfig()) }

  public func vaeConfig() throws -> VAEConfig {
    try require("vae")
    return try VAEConfig(Self.config(source, "diffusion-decoder/vae/config.json"))
  }

  public func vaeDecoder() throws -> VAEDecoder { try VAEDecoder(weights, prefix: "vae", vaeConfig()) }

  public func visionTower() throws -> VisionTower {
    try require("vision")
    let config = try Self.config(source, "config.json")
    guard let section = config.section("vision_config") else {
      throw ConfigError(file: "config.json", key: "vision_config", rule: "is missing")
    }
    let vision = try VisionConfig(section)
    guard vision.outputSize == language.hiddenSize else {
      throw ConfigError(
        file: "config.json", key: "vision_config.out_hidden_size", rule: "is not hidden_size")
    }
    return try VisionTower(weights, prefix: "vision", vision)
  }

  /// How pictures are brought to the vision tower: as the folder says, unless the run says otherwise.
  /// - Throws: ``ConfigError`` for settings that change the picture in a way that is not known here, ``ModelError`` for bounds that do
  ///   not fit together.
  func preprocessor(_ vision: VisionConfig, _ run: RunOptions) throws -> ImagePreprocessor {
    var config = PreprocessorConfig()
    let file = "preprocessor_config.json"
    if let bytes = try source.companion(file) {
      config = try PreprocessorConfig(ConfigReader(file: file, bytes), vision)
    }
    let (low, high) = (run.minPixels ?? config.pixelRange.lowerBound, run.maxPixels ?? config.pixelRange.upperBound)
    guard low >= 1, low <= high, high <= PreprocessorConfig.pixelLimit else {
      throw ModelError.option(
        name: "pixels of a picture", rule: "from \(low) to \(high) is no range up to \(PreprocessorConfig.pixelLimit)")
    }
    config.pixelRange = low...high
    return ImagePreprocessor(vision, config)
  }

  /// How answers are drawn, as the folder says.
  func answerDefaults() throws -> AnswerDefaults {
    let file = "generation_config.json"
    return try source.companion(file).map { try AnswerDefaults(ConfigReader(file: file, $0)) } ?? AnswerDefaults()
  }

  public func evaTower() throws -> EVATower {
    try require("gen_vision")
    let weights = weights
    return try EVATower(
      weights, prefix: "gen_vision",
      EVAConfig(Self.config(source, "config.json"), prefix: "gen_vision", shapes: weights.shape))
  }

  public func schedulerConfig() throws -> SchedulerConfig {
    try SchedulerConfig(Self.config(source, "diffusion-decoder/scheduler/scheduler_config.json"))
  }
}

/// Ids of tokens with a meaning of their own.
public struct SpecialTokens: Sendable, Equatable {
  /// `[IMG]`: the queries follow.
  public let image: Int
  /// `<|image_pad|>`: stands for a piece of a picture.
  public let imagePad: Int
  public let endOfText: Int
  public let endOfTurn: Int

  init(_ tokenizer: Tokenizer, path: String) throws(ModelError) {
    func id(_ text: String) throws(ModelError) -> Int {
      guard let id = tokenizer.id(ofAdded: text) else { throw .tokenMissing(path: path, token: text) }
      return id
    }
    image = try id("[IMG]")
    imagePad = try id("<|image_pad|>")
    endOfText = try id("<|endoftext|>")
    endOfTurn = try id("<|im_end|>")
  }
}
