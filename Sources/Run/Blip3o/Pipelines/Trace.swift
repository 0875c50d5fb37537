import NetworkRuntime
import Networks
import Observation
import Pictures
import Tensors
import Tokenization

/// Runs a pipeline and hands out activations under the names that `formats/activations.md` lists.
///
/// A name that PyTorch reference scripts know means exactly what they compute; any other operation's output is
/// `PHASE/PATH`, and must be asked for by a pattern.
public enum Trace {
  /// Traces text to image: the prompt alone, the conditions, one step of the features' network, their sampling, the
  /// decoder, and the picture.
  /// - Parameters:
  ///   - only: patterns of names, `*` for any run of characters; nil for all names of the list.
  ///   - sink: gets each tensor once, in the order in which it is computed.
  /// - Throws: as ``TextToImage`` does, and what `sink` throws.
  public static func textToImage(
    _ model: Model, prompt: String, options: GenerationOptions, run: RunOptions, noise: Noise.Given,
    only: [String]? = nil, sink: @escaping (TracedTensor) throws -> Void
  ) throws {
    let names = TraceNames(
      layerCount: model.language.layerCount, gridSide: try model.ditConfig().gridSide, steps: options.steps)
    let observer = Tracer(names, only: only, sink: sink)
    let pipeline = try TextToImage(model, options, run: run, noise: noise, observers: [observer])
    // Whatever can be known to fail, and patterns that fit nothing, are told before the work.
    let collector = Tracer(collecting: names)
    try pipeline.rehearse(observers: [collector]) { try walk(pipeline, prompt, collector) }
    try check(only, collector)
    try walk(pipeline, prompt, observer)
  }

  private static func walk(_ pipeline: TextToImage, _ prompt: String, _ observer: Tracer) throws {
    let (model, options) = (pipeline.model, pipeline.options)
    let condition = try model.prompt(options.isRawPrompt ? prompt : TextToImage.template(prompt), [])
    let ids = condition.ids
    try observer.integers("llm.ids", ids, shape: [ids.count])
    let positions = (0..<3).flatMap { _ in Array(ids.indices) }
    try observer.integers("llm.mrope.text", positions, shape: [3, ids.count])
    try pipeline.promptAlone(ids)
    let hidden = try pipeline.runner.conditions(
      model,
      [
        ("cond", condition), ("negative", try model.prompt(options.negativePrompt, [])),
      ])
    let dit = try model.dit()
    try constants(model, options, dit, observer)
    var features: [[Float]] = []
    for (number, name) in ["cond", "negative"].enumerated() {
      let start = try pipeline.startNoise("dit.noise.\(name)", dit)
      try observer.floats(
        "dit.noise.\(name)", start, shape: [1, dit.config.channels, dit.config.gridSide, dit.config.gridSide])
      // The step on its own comes between, as its noise is the first that is drawn.
      if number == 0 { try pipeline.singleStep(hidden[0], dit, start) }
      features.append(try pipeline.features(name, hidden[number], dit, start))
      try observer.floats(
        "dit.features.\(name)", features[number],
        shape: [1, dit.config.gridSide * dit.config.gridSide, dit.config.channels])
    }
    let start = try pipeline.startLatents()
    try observer.floats("decoder.noise", start.values, shape: [1, start.channels, start.side, start.side])
    let latents = try pipeline.latents(features[0], features[1], start)
    let picture = try pipeline.picture(latents)
    try observer.bytes("decoder.rgb", picture.pixels, shape: [picture.height, picture.width, 3])
  }

  /// Traces a question about a picture: what the vision tower sees, the language model's pass over the prompt, and, where
  /// the file holds them, the queries' states for a reconstruction and the EVA-CLIP features.
  public static func imageToText(
    _ model: Model, picture: Picture, question: String, run: RunOptions, only: [String]? = nil,
    sink: @escaping (TracedTensor) throws -> Void
  ) throws {
    let names = TraceNames(layerCount: model.language.layerCount)
    let observer = Tracer(names, only: only, sink: sink)
    let runner = StageRunner(model, run, observers: [observer])
    let conversation = try Conversation(model, runner)
    let collector = Tracer(collecting: names)
    try runner.rehearse(observers: [collector]) { try walk(conversation, picture, question, collector) }
    try check(only, collector)
    try walk(conversation, picture, question, observer)
  }

  private static func check(_ only: [String]?, _ collector: Tracer) throws(ModelError) {
    let idle = collector.idle(only ?? [])
    guard idle.isEmpty else { throw .fitsNothing(patterns: idle, what: "activation") }
  }

  private static func walk(
    _ conversation: Conversation, _ picture: Picture, _ question: String, _ observer: Tracer
  ) throws {
    let (model, runner) = (conversation.model, conversation.runner)
    let tower = try model.visionTower()
    let preprocessor = try model.preprocessor(tower.config, runner.options)
    let resized = try preprocessor.resize(picture)
    try observer.bytes("vision.0.resized", resized.pixels, shape: [resized.height, resized.width, 3])
    let input = preprocessor.patches(resized)
    try observer.floats(
      "vision.0.pixel_values", input.pixels, shape: [input.rows * input.columns, tower.config.patchWidth])
    let windows = tower.windows(rows: input.rows, columns: input.columns)
    try observer.integers("vision.0.window_index", windows.cells, shape: [windows.cells.count])
    try observer.integers("vision.0.cu_window_seqlens", windows.cuts, shape: [windows.cuts.count])
    let seen = try runner.look(resized, preprocessor, tower, number: 0)
    let text = ChatTemplate.text(
      [.init(role: "user", content: ChatTemplate.image + question)], addsGenerationPrompt: true)
    let prompt = try model.prompt(text, [seen])
    try observer.integers("i2t.ids", prompt.ids, shape: [prompt.ids.count])
    let positions = prompt.positions.list
    let axes = positions.map(\.time) + positions.map(\.row) + positions.map(\.column)
    try observer.integers("i2t.positions", axes, shape: [3, positions.count])
    try conversation.pass(prompt)
    if model.components.contains("queries") {
      let request = try model.prompt(TextToImage.template(imageAnd: "Please reconstruct the given image."), [seen])
      _ = try runner.conditions(model, [("reconstruct", request)])
    }
    if model.components.contains("gen_vision") {
      let encoder = try PictureEncoder(model, runner)
      let side = encoder.imageSize
      let image = PictureEncoder.normalised(encoder.prepared(picture))
      try observer.floats("eva.input", image, shape: [1, 3, side, side])
      let pooled = encoder.pool(try encoder.patches(image))
      try observer.floats(
        "eva.pooled", pooled.values, shape: [1, pooled.width, pooled.side, pooled.side])
    }
  }

  private static func constants(
    _ model: Model, _ options: GenerationOptions, _ dit: NextDiT, _ observer: Tracer
  ) throws {
    let flow = FlowMatchSchedule(steps: options.steps)
    try observer.floats("dit.sigmas", flow.sigmas, shape: [flow.sigmas.count])
    try observer.integers("dit.timesteps", flow.timesteps, shape: [flow.timesteps.count])
    let table = dit.angles
    let shape = [dit.config.gridSide * dit.config.gridSide, dit.config.headWidth / 2]
    try observer.floats("dit.rope.cos", table.cosine, shape: shape)
    try observer.floats("dit.rope.sin", table.sine, shape: shape)
    let config = try model.schedulerConfig()
    for (suffix, steps) in [("50", 50), ("", options.decoderSteps)] {
      let schedule = EulerSchedule(config, steps: steps)
      try observer.floats("decoder.sigmas\(suffix)", schedule.sigmas, shape: [schedule.sigmas.count])
      try observer.floats("decoder.timesteps\(suffix)", schedule.timesteps, shape: [schedule.timesteps.count])
    }
  }
}
