import Kernels
import NetworkRuntime
import Networks

/// Painting one prompt again and again by models that differ in a part: what comes before that part is not computed anew.
public struct StagedPainting: Sendable {
  /// Where a run begins: everything before is taken from an earlier run.
  public enum Start: Int, Sendable, Comparable {
    case prompt, features, decoder, picture

    public static func < (a: Start, b: Start) -> Bool { a.rawValue < b.rawValue }
  }

  /// Where a run begins that another model makes; nil where the components in which it differs take no part.
  public static func start(of components: Set<String>) -> Start? {
    if !components.isDisjoint(with: ["llm", "queries"]) { return .prompt }
    if components.contains("dit") { return .features }
    if components.contains("unet") { return .decoder }
    return components.contains("vae") ? .picture : nil
  }

  /// What a run has made on its way.
  public struct Made: Sendable {
    /// Hidden states at the queries, of the prompt and of the negative one.
    let hidden: [[Float]]
    public let features: [Float]
    let negative: [Float]
    public let latents: [Float]
    /// `[height, width, 3]` from 0 to 1, not yet rounded to bytes.
    public let picture: [Float]
    let noise: Noise.Given
  }

  private let prompt: String
  private let options: GenerationOptions
  private let noise: Noise.Given
  private let run: RunOptions

  public init(prompt: String, options: GenerationOptions, noise: Noise.Given = [:], run: RunOptions) {
    self.prompt = prompt
    self.options = options
    self.noise = noise
    self.run = run
  }

  /// - Parameters:
  ///   - earlier: what another model has made of it; its noise is taken, and all that comes before `start`.
  ///   - end: the last part that is run.
  public func make(
    _ model: Model, from start: Start = .prompt, through end: Start = .picture, reusing earlier: Made? = nil,
    observers: [any Observer] = []
  ) throws -> Made {
    let pipeline = try TextToImage(model, options, run: run, noise: earlier?.noise ?? noise, observers: observers)
    let dit = try model.dit()
    let condition = try pipeline.startNoise("dit.noise.cond", dit)
    let negativeNoise = try pipeline.startNoise("dit.noise.negative", dit)
    let startLatents = try pipeline.startLatents()
    var hidden = earlier?.hidden ?? []
    if start <= .prompt || hidden.isEmpty { hidden = try pipeline.hiddenStates(prompt) }
    var features = earlier.map { ($0.features, $0.negative) } ?? ([], [])
    if end >= .features, start <= .features || features.0.isEmpty {
      features.0 = try pipeline.features("cond", hidden[0], dit, condition)
      features.1 = try pipeline.features("negative", hidden[1], dit, negativeNoise)
    }
    let noise = [
      "dit.noise.cond": condition, "dit.noise.negative": negativeNoise, "decoder.noise": startLatents.values,
    ]
    var latents = earlier?.latents ?? []
    if end >= .decoder, start <= .decoder || latents.isEmpty {
      latents = try pipeline.latents(features.0, features.1, startLatents)
    }
    return Made(
      hidden: hidden, features: features.0, negative: features.1, latents: latents,
      picture: end < .picture
        ? [] : try pipeline.decoded(latents) { $0.values.map { min(max($0 / 2 + 0.5, 0), 1) } },
      noise: noise)
  }
}

extension TextToImage {
  /// Hidden states at the queries, of a prompt and of the negative one.
  func hiddenStates(_ prompt: String) throws -> [[Float]] {
    try runner.conditions(
      model,
      [
        ("cond", try model.prompt(options.isRawPrompt ? prompt : Self.template(prompt), [])),
        ("negative", try model.prompt(options.negativePrompt, [])),
      ])
  }
}
