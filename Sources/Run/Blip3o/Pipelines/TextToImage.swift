import Foundation
import NetworkRuntime
import Networks
import Pictures
import Tensors
import Tokenization

/// What a picture is made of and how.
public struct GenerationOptions: Sendable, Equatable {
  /// Steps from noise to features.
  public var steps = 30
  /// Steps from noise to latents.
  public var decoderSteps = 50
  /// Guidance of the decoder. That of the features is 3, fixed in the release's own code.
  public var guidance: Float = 3
  public var featureGuidance: Float = 3
  /// Sides of the picture; nil: what the decoder was trained for.
  public var size: Int?
  public var seed: UInt64 = 0
  /// What the picture should not be. The release's own code uses a single space.
  public var negativePrompt = " "
  /// Whether the prompt is used as it stands, without the release's template.
  public var isRawPrompt = false

  public init() {}
}

/// Paints from text: language model and queries, feature flow, UNet, autoencoder.
///
/// Source: BLIP3-o's inference.py and pipeline_llava_gen; Emu2's decoder pipeline.
public final class TextToImage {
  public let model: Model
  public let options: GenerationOptions
  /// Pixels of the picture for one of the latents, a side.
  private let scale: Int
  let runner: StageRunner
  private var noise: Noise
  private var negativeFeatures: [Float]?

  /// What the stages did, in order.
  public var reports: [StageReport] { runner.reports }

  /// Checks that the model has all parts and the options fit.
  /// - Parameter noise: start noise in place of the seed's, by name, channels first.
  /// - Throws: ``ModelError``, ``ConfigError``.
  public init(
    _ model: Model, _ options: GenerationOptions = .init(), run: RunOptions = .init(), noise: Noise.Given = [:],
    observers: [any Observer] = []
  ) throws {
    try model.require("llm", "queries", "dit", "unet", "vae")
    self.model = model
    self.options = options
    runner = StageRunner(model, run, observers: observers)
    self.noise = Noise(seed: options.seed, given: noise)
    guard (1...1000).contains(options.steps) else {
      throw ModelError.option(name: "steps", rule: "takes a number from 1 to 1000")
    }
    let trainSteps = try model.schedulerConfig().trainSteps
    guard (1...trainSteps).contains(options.decoderSteps) else {
      throw ModelError.option(name: "decoder steps", rule: "takes a number from 1 to \(trainSteps)")
    }
    let (unet, vae) = (try model.unetConfig(), try model.vaeConfig())
    guard vae.latentChannels == unet.outputChannels else {
      throw ConfigError(
        file: "diffusion-decoder/vae/config.json", key: "latent_channels", rule: "is not the UNet's out_channels")
    }
    guard unet.contextWidth == (try model.ditConfig().channels) else {
      throw ConfigError(
        file: "diffusion-decoder/unet/config.json", key: "cross_attention_dim", rule: "is not the width of a feature")
    }
    let multiple = vae.scale << (unet.channels.count - 1)
    let size = options.size ?? unet.sampleSize * vae.scale
    scale = vae.scale
    guard size > 0, size % multiple == 0, size <= 4096 else {
      guard options.size != nil else {
        throw ConfigError(
          file: "diffusion-decoder/unet/config.json", key: "sample_size",
          rule: "gives pictures of \(size) pixels a side, no multiple of \(multiple) up to 4096")
      }
      throw ModelError.size(size, multiple: multiple, limit: 4096)
    }
  }

  /// The text that the language model reads.
  public static func template(_ caption: String) -> String {
    let request = "Please generate image based on the following caption: " + caption
    return ChatTemplate.text([.init(role: "user", content: request)], addsGenerationPrompt: true)
  }

  /// The same for a picture and what to do with it.
  public static func template(imageAnd instruction: String) -> String {
    ChatTemplate.text(
      [.init(role: "user", content: ChatTemplate.image + "\n" + instruction)], addsGenerationPrompt: true)
  }

  /// Paints one picture. Further calls go on with the generator, and use the features of the negative prompt again.
  /// - Parameters:
  ///   - prompt: a caption; with an image, an instruction such as "Please reconstruct the given image."
  ///   - image: brought to 448 x 448, as the release's own code does.
  /// - Throws: ``ModelError``, ``RuntimeError``, or errors of reading the weights.
  public func picture(_ prompt: String, image: Picture? = nil) throws -> Picture {
    try paint(prompt, image: image)
  }

  /// Walks through what ``picture(_:image:)`` would do, so that whatever can be known to fail is told before the work: prompts that are
  /// too long, parts that are missing, a lack of memory.
  /// - Throws: as ``picture(_:image:)`` does; ``FileError/tooLittleMemory(needed:available:what:)``.
  public func check(_ prompt: String, image: Picture? = nil) throws {
    try rehearse { _ = try paint(prompt, image: image) }
  }

  /// The same for ``picture(features:)``.
  public func check(features: CLIPFeatures) throws { try rehearse { _ = try paint(features) } }

  /// Leaves noise and features as they were.
  func rehearse(observers: [any Observer] = [], _ body: () throws -> Void) throws {
    let held = (noise, negativeFeatures)
    defer { (noise, negativeFeatures) = held }
    try runner.rehearse(observers: observers, body)
  }

  private func paint(_ prompt: String, image: Picture?) throws -> Picture {
    let condition: Prompt
    if let image {
      let tower = try model.visionTower()
      guard 448 % (tower.config.patchSize * tower.config.mergeSize) == 0 else {
        throw ConfigError(
          file: "config.json", key: "vision_config.patch_size", rule: "does not divide pictures of 448 pixels")
      }
      let seen = try runner.look(
        image.resized(width: 448, height: 448), model.preprocessor(tower.config, runner.options), tower, number: 0)
      condition = try model.prompt(options.isRawPrompt ? prompt : Self.template(imageAnd: prompt), [seen])
    } else {
      condition = try model.prompt(options.isRawPrompt ? prompt : Self.template(prompt), [])
    }
    let needsNegative = negativeFeatures == nil
    let negative = try model.prompt(options.negativePrompt, [])
    let hidden = try runner.conditions(
      model, needsNegative ? [("cond", condition), ("negative", negative)] : [("cond", condition)])
    let dit = try model.dit()
    let features = try self.features("cond", hidden[0], dit, startNoise("dit.noise.cond", dit))
    if needsNegative {
      negativeFeatures = try self.features("negative", hidden[1], dit, startNoise("dit.noise.negative", dit))
    }
    return try picture(latents(features, negativeFeatures!, startLatents()))
  }

  /// Lets the language model read a prompt as text, logits and all, for the observers.
  public func readAlone(_ prompt: String) throws {
    try promptAlone(model.prompt(options.isRawPrompt ? prompt : Self.template(prompt), []).ids)
  }

  /// Paints from features, such as ``PictureEncoder`` gives: the flow is not run. The other half of the guidance is what the file of
  /// features says, else the features of an empty picture; where a negative prompt was asked for, what that gives.
  ///
  /// Source: BLIP3-o's pipeline_reconstruct.py, which takes the features of a picture of zeros.
  /// - Throws: ``ModelError`` where the features do not fit, or the model has no tower for the empty picture.
  public func picture(features: CLIPFeatures) throws -> Picture { try paint(features) }

  private func paint(_ features: CLIPFeatures) throws -> Picture {
    let config = try model.ditConfig()
    let expected = config.gridSide * config.gridSide * config.channels
    for (name, values) in [("features", features.values), ("negative_features", features.negative ?? features.values)] {
      guard values.count == expected else {
        throw ModelError.noise(path: name, name: "", rule: "are \(values.count) values instead of \(expected)")
      }
    }
    if negativeFeatures == nil { negativeFeatures = try negative(of: features) }
    return try picture(latents(features.values, negativeFeatures!, startLatents()))
  }

  private func negative(of features: CLIPFeatures) throws -> [Float] {
    if options.negativePrompt != GenerationOptions().negativePrompt {
      let hidden = try runner.conditions(model, [("negative", try model.prompt(options.negativePrompt, []))])
      let dit = try model.dit()
      return try self.features("negative", hidden[0], dit, startNoise("dit.noise.negative", dit))
    }
    if let negative = features.negative { return negative }
    guard model.components.contains("gen_vision") else {
      throw ModelError.featuresWithoutNegative(path: model.path)
    }
    let empty = try PictureEncoder(model, runner).emptyFeatures()
    guard empty.count == features.values.count else {
      throw ModelError.noise(
        path: "features of an empty picture", name: "",
        rule: "are \(empty.count) values by the model's tower instead of \(features.values.count)")
    }
    return empty
  }

  // MARK: Stages

  /// The language model over a prompt alone, for the observers.
  func promptAlone(_ ids: [Int]) throws {
    let limit = model.language.maxPositions - model.language.queryCount - 1
    guard ids.count <= limit else { throw ModelError.promptTooLong(count: ids.count, limit: limit) }
    let language = try model.languageModel()
    try runner.stage("prompt") { run in
      runner.enter(run, "prompt")
      let x = run.take(width: ids.count, channels: model.language.hiddenSize)
      try language.embed(run, ids: ids, into: x)
      try language.forward(run, x, positions: ids.indices.map { ($0, $0, $0) })
      let logits = run.take(width: ids.count, channels: model.language.vocabularySize)
      try language.logits(run, x, into: logits)
      run.give(logits)
      run.give(x)
    }
  }

  /// Start noise of features, `[channels, tokens]`.
  func startNoise(_ name: String, _ dit: NextDiT) throws -> [Float] {
    try noise.draw(name, channels: dit.config.channels, pixels: dit.config.gridSide * dit.config.gridSide)
  }

  /// The features' network once, at the second timestep, for the observers.
  func singleStep(_ condition: [Float], _ dit: NextDiT, _ start: [Float]) throws {
    let timesteps = FlowMatchSchedule(steps: options.steps).timesteps
    try runner.stage("features") { run in
      runner.enter(run, "dit.step")
      let (context, x, velocity) = try flow(run, condition, dit, start)
      try dit.forward(run, x, timestep: timesteps[min(1, timesteps.count - 1)], context, into: velocity)
      run.give(x)
      run.give(velocity)
      dit.give(run, context)
    }
  }

  /// Context, start and velocity of a flow, for both rows of the batch.
  private func flow(_ run: Execution, _ condition: [Float], _ dit: NextDiT, _ start: [Float]) throws -> (
    context: NextDiT.Context, x: Activation, velocity: Activation
  ) {
    let both = run.take(batch: 2, width: model.language.queryCount, channels: model.language.hiddenSize)
    // The null condition comes first; it is zeros, not projected zeros.
    run.fill(both) { values in
      values.update(repeating: 0)
      values.update(condition, at: condition.count)
    }
    let context = try dit.context(run, both)
    run.give(both)
    let x = run.take(batch: 2, width: dit.config.gridSide * dit.config.gridSide, channels: dit.config.channels)
    let values = ChannelOrder.last(start, channels: dit.config.channels)
    run.fill(x) { rows in for row in 0..<2 { rows.update(values, at: row * values.count) } }
    return (context, x, run.take(like: x))
  }

  /// Features of a condition: `[tokens, channels]`.
  func features(_ name: String, _ condition: [Float], _ dit: NextDiT, _ start: [Float]) throws -> [Float] {
    let schedule = FlowMatchSchedule(steps: options.steps)
    return try runner.stage("features") { run in
      runner.enter(run, "dit.context.\(name)")
      let (context, x, velocity) = try flow(run, condition, dit, start)
      for step in 0..<options.steps {
        runner.progress(run, "features", step: step, of: options.steps)
        runner.enter(run, "dit.sample.\(name)", step: step)
        try runner.finite(run, velocity) {
          try dit.forward(run, x, timestep: schedule.timesteps[step], context, into: velocity)
        }
        try run.guidedStep(
          "dit.sample.\(name)", x, velocity, conditional: 1, guidance: options.featureGuidance,
          by: schedule.sigmas[step + 1] - schedule.sigmas[step])
      }
      let result = run.isPlanning ? [Float](repeating: 0, count: x.sample(0).count) : Array(x.sample(0).values)
      run.give(x)
      run.give(velocity)
      dit.give(run, context)
      return result
    }
  }

  /// Start noise of latents, `[channels, side, side]`.
  struct StartLatents {
    let values: [Float]
    let channels: Int
    let side: Int
  }

  func startLatents() throws -> StartLatents {
    let unet = try model.unetConfig()
    let side = options.size.map { $0 / scale } ?? unet.sampleSize
    let values = try noise.draw("decoder.noise", channels: unet.inputChannels, pixels: side * side)
    return StartLatents(values: values, channels: unet.inputChannels, side: side)
  }

  /// Latents from features: `[height, width, 4]`.
  func latents(_ condition: [Float], _ negative: [Float], _ start: StartLatents) throws -> [Float] {
    let unet = try model.unet()
    let (channels, side) = (start.channels, start.side)
    let schedule = EulerSchedule(try model.schedulerConfig(), steps: options.decoderSteps)
    let width = unet.config.contextWidth
    let timeIDs = [1024, 1024, 0, 0, side * scale, side * scale]
    return try runner.stage("decoder") { run in
      runner.enter(run, "decoder.context")
      let features = run.take(batch: 2, width: condition.count / width, channels: width)
      run.fill(features) { values in
        values.update(condition, at: 0)
        values.update(negative, at: condition.count)
      }
      try run.emit("decoder.prompt", features)
      let pooled = run.take(batch: 2, width: 1, channels: width)
      try run.meanOfTokens("decoder.pooled", features, into: pooled)
      let context = try unet.context(run, features, pooled: pooled, timeIDs: timeIDs)
      run.give(features)
      let x = run.take(batch: 2, height: side, width: side, channels: channels)
      let input = run.take(like: x)
      let noise = run.take(like: x)
      let values = ChannelOrder.last(start.values, channels: channels).map { $0 * schedule.firstScale }
      run.fill(x) { rows in for row in 0..<2 { rows.update(values, at: row * values.count) } }
      for step in 0..<options.decoderSteps {
        runner.progress(run, "decoder", step: step, of: options.decoderSteps)
        runner.enter(run, "decoder", step: step)
        try runner.finite(run, noise) {
          try run.scale("decoder.scale_input", x, by: schedule.inputScale(step), into: input)
          try unet.forward(run, input, timestep: schedule.timesteps[step], context, into: noise)
        }
        try run.guidedStep(
          "decoder.latents", x, noise, conditional: 0, guidance: options.guidance,
          by: schedule.sigmas[step + 1] - schedule.sigmas[step])
      }
      let result = run.isPlanning ? [Float](repeating: 0, count: x.sample(0).count) : Array(x.sample(0).values)
      [x, input, noise].forEach(run.give)
      unet.give(run, context)
      return result
    }
  }

  /// The picture of latents.
  func picture(_ latents: [Float]) throws -> Picture {
    try decoded(latents) { image in
      Picture(
        width: image.width, height: image.height,
        pixels: runner.isRehearsing
          ? [UInt8](repeating: 0, count: image.count) : image.values.map(Self.level))
    }
  }

  /// What the autoencoder makes of latents, `[height, width, 3]`, -1...1.
  func decoded<Result>(_ latents: [Float], _ body: (Activation) -> Result) throws -> Result {
    let vae = try model.vaeDecoder()
    let side = Int(Double(latents.count / vae.config.latentChannels).squareRoot())
    return try runner.stage("picture") { run in
      runner.progress(run, "picture", step: 0, of: 1)
      runner.enter(run, "vae")
      let z = run.take(height: side, width: side, channels: vae.config.latentChannels)
      let factor = Float(1 / vae.config.scalingFactor)
      run.fill(z) { values in for (index, value) in latents.enumerated() { values[index] = value * factor } }
      let image = run.take(height: side * vae.config.scale, width: side * vae.config.scale, channels: 3)
      try runner.finite(run, image) { try vae.forward(run, z, into: image) }
      let result: Result? = run.isPlanning && !runner.isRehearsing ? nil : body(image)
      run.give(z)
      run.give(image)
      return result
    }!
  }

  /// -1...1 to 0...255, ties to even.
  static func level(_ value: Float) -> UInt8 {
    let unit = min(max(value / 2 + 0.5, 0), 1)
    return UInt8((unit * 255).rounded(.toNearestOrEven))
  }
}
