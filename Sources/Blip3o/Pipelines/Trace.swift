import Conversion
import Foundation
import Pictures
import Runtime
import Tensors

/// One tensor of a trace.
public struct TracedTensor {
  public let info: TensorInfo
  /// Row-major bytes, valid during the call.
  public let bytes: UnsafeRawBufferPointer
}

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
    let observer = TraceObserver(model.language, try model.ditConfig(), options, only: only, sink: sink)
    let pipeline = try TextToImage(model, options, run: run, noise: noise, observer: observer)
    let ids = model.tokenizer.encode(options.isRawPrompt ? prompt : TextToImage.template(prompt))
    try observer.integers("llm.ids", ids, shape: [ids.count])
    let positions = (0..<3).flatMap { _ in Array(ids.indices) }
    try observer.integers("llm.mrope.text", positions, shape: [3, ids.count])
    try pipeline.promptAlone(ids)
    let hidden = try pipeline.conditions([
      ("cond", ids), ("negative", model.tokenizer.encode(options.negativePrompt)),
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

  private static func constants(
    _ model: Model, _ options: GenerationOptions, _ dit: NextDiT, _ observer: TraceObserver
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

/// Gives activations their names and hands them on.
final class TraceObserver: Observer {
  private let sink: (TracedTensor) throws -> Void
  private let only: [String]?
  private let names: TraceNames
  private var phase = ""
  private var step = 0

  init(
    _ language: LanguageModelConfig, _ dit: DiTConfig, _ options: GenerationOptions, only: [String]?,
    sink: @escaping (TracedTensor) throws -> Void
  ) {
    self.sink = sink
    self.only = only
    names = TraceNames(
      layerCount: language.layerCount, gridSide: dit.gridSide, steps: options.steps)
  }

  func enter(phase: String, step: Int) {
    self.phase = phase
    self.step = step
  }

  func wants(_ path: String) -> Bool { path == "unet.conv_norm_out" || only != nil }

  func didRun(_ operation: NetworkOperation, output: Activation?) throws {
    guard let output else { return }
    for name in names.names(phase, step, operation.path) where isWanted(name.text) {
      try hand(name.text, output, name.form)
    }
    guard only != nil, let phase = names.ownPhase(phase, step) else { return }
    let name = phase + "/" + operation.path
    if isWanted(name) { try hand(name, output, output.height > 1 ? .image : .tokens) }
  }

  private func isWanted(_ name: String) -> Bool { only?.contains { TensorName(name).matches(pattern: $0) } ?? true }

  private func hand(_ name: String, _ x: Activation, _ form: TraceNames.Form) throws {
    switch form {
    case .rows: try floats(name, Array(x.values), shape: [x.rowCount, x.channels])
    case .vectors: try floats(name, Array(x.values), shape: [x.batch, x.channels])
    case .tokens: try floats(name, Array(x.values), shape: [x.batch, x.pixelCount, x.channels])
    case .grid: try hand(name, x.image(height: names.gridSide, width: names.gridSide), .image)
    case .image:
      var values: [Float] = []
      values.reserveCapacity(x.count)
      for sample in 0..<x.batch {
        values += ChannelOrder.first(x.sample(sample).values, channels: x.channels)
      }
      try floats(name, values, shape: [x.batch, x.channels, x.height, x.width])
    }
  }

  func floats(_ name: String, _ values: [Float], shape: [Int]) throws { try give(name, .f32, shape, values) }
  func integers(_ name: String, _ values: [Int], shape: [Int]) throws { try give(name, .i64, shape, values) }
  func bytes(_ name: String, _ values: [UInt8], shape: [Int]) throws { try give(name, .u8, shape, values) }

  private func give<Value>(_ name: String, _ dtype: DType, _ shape: [Int], _ values: [Value]) throws {
    guard isWanted(name) else { return }
    let info = TensorInfo(name: TensorName(name), dtype: dtype, shape: shape)!
    try values.withUnsafeBytes { try sink(TracedTensor(info: info, bytes: $0)) }
  }
}

/// The names of a trace. Documented in `formats/activations.md`.
struct TraceNames {
  /// How an activation is laid out in a file.
  enum Form {
    /// `[tokens, channels]` of the only sample.
    case rows
    /// `[batch, channels]`.
    case vectors
    /// `[batch, tokens, channels]`.
    case tokens
    /// `[batch, channels, height, width]`.
    case image
    /// The same of tokens that lie on the features' grid.
    case grid
  }

  let layerCount: Int
  let gridSide: Int
  let steps: Int

  /// The phase under which all operations can be had: each part of the pipeline once.
  func ownPhase(_ phase: String, _ step: Int) -> String? {
    if step > 0 || phase.hasPrefix("dit.sample") || phase.hasPrefix("dit.context") { return nil }
    return phase == "decoder" ? "unet" : phase
  }

  func names(_ phase: String, _ step: Int, _ path: String) -> [(text: String, form: Form)] {
    switch phase {
    case "prompt": prompt(path).map { [($0, .rows)] } ?? []
    case "query.cond", "query.negative":
      switch path {
      case "query.hidden": [(phase + ".hidden", .rows)]
      case "query.inputs_embeds": phase == "query.cond" ? [("query.cond.inputs_embeds", .rows)] : []
      default: []
      }
    case "dit.step": ditStep(path)
    case "dit.sample.cond", "dit.sample.negative":
      path == phase ? sample(phase, step) : []
    case "decoder.context":
      path == "decoder.prompt" ? [(path, .tokens)] : path == "decoder.pooled" ? [(path, .vectors)] : []
    case "decoder":
      path == "decoder.latents"
        ? [("decoder.latents.after\(step + 1)", .image)] : step == 0 ? unet(path) : []
    case "vae": vae(path).map { [($0, .image)] } ?? []
    default: []
    }
  }

  /// Hidden state 0 is the embedding, the last comes after the final norm.
  private func prompt(_ path: String) -> String? {
    if path == "llm.embed_tokens" { return "llm.hidden.0" }
    if path == "llm.norm" { return "llm.hidden.\(layerCount)" }
    if path == "llm.lm_head" { return "llm.logits" }
    guard let layer = Self.number(path, after: "llm.layers."), layer < layerCount - 1 else { return nil }
    return "llm.hidden.\(layer + 1)"
  }

  private func ditStep(_ path: String) -> [(text: String, form: Form)] {
    switch path {
    case "dit.patch_embedder.proj": return [("dit.step.patch", .tokens)]
    case "dit.caption_projection.linear_2": return [("dit.step.context", .tokens)]
    case "dit.time_caption_embed.timestep_embedder.linear_2": return [("dit.step.temb", .vectors)]
    case "dit.norm_out.linear_2": return [("dit.step.velocity", .grid)]
    default:
      return Self.number(path, after: "dit.layers.").map { [("dit.step.block\($0)", .tokens)] } ?? []
    }
  }

  private func sample(_ phase: String, _ step: Int) -> [(text: String, form: Form)] {
    var found: [(text: String, form: Form)] = []
    if [0, 1, 9].contains(step) { found.append((phase + ".after\(step + 1)", .grid)) }
    if step == steps - 1 { found.append((phase + ".final", .grid)) }
    return found
  }

  private func unet(_ path: String) -> [(text: String, form: Form)] {
    let tap = "unet.tap."
    switch path {
    case "decoder.scale_input": return [("unet.input", .image)]
    case "unet.conv_out": return [("unet.output", .image)]
    case "unet.time_proj": return [(tap + "time_proj", .vectors)]
    case "unet.add_time_proj": return [(tap + "add_time_proj", .rows)]
    case "unet.time_embedding.linear_2": return [(tap + "time_embedding", .vectors)]
    case "unet.add_embedding.linear_2": return [(tap + "add_embedding", .vectors)]
    case "unet.conv_in": return [(tap + "conv_in", .image)]
    case "unet.conv_norm_out": return [(tap + "conv_norm_out", .image)]
    case "unet.mid_block": return [(tap + "mid", .image)]
    case "unet.mid_block.attentions.0": return [(tap + "mid.attn0", .image)]
    case "unet.mid_block.resnets.0": return [(tap + "mid.resnet0", .image)]
    default:
      if let level = Self.number(path, after: "unet.down_blocks.") { return [(tap + "down\(level)", .image)] }
      if let level = Self.number(path, after: "unet.up_blocks.") { return [(tap + "up\(level)", .image)] }
      return []
    }
  }

  private func vae(_ path: String) -> String? {
    switch path {
    case "vae.post_quant_conv": return "vae.tap.post_quant"
    case "vae.decoder.conv_in": return "vae.tap.conv_in"
    case "vae.decoder.mid_block": return "vae.tap.mid"
    case "vae.decoder.conv_out": return "vae.image"
    default: return Self.number(path, after: "vae.decoder.up_blocks.").map { "vae.tap.up\($0)" }
    }
  }

  /// The number that a path ends in, after a prefix.
  private static func number(_ path: String, after prefix: String) -> Int? {
    path.hasPrefix(prefix) ? Int(path.dropFirst(prefix.count)) : nil
  }
}
