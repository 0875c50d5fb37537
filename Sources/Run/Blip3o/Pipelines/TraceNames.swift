import Observation

/// The names of a trace. Documented in `formats/activations.md`.
struct TraceNames: ActivationNames {
  let layerCount: Int
  /// Side of the features' grid; 0 where nothing is painted.
  var gridSide = 0
  var steps = 0

  /// The phase under which all operations can be had: each part of the pipeline once.
  func ownPhase(_ phase: String, step: Int) -> String? {
    if step > 0 || phase.hasPrefix("dit.sample") || phase.hasPrefix("dit.context") { return nil }
    return phase == "decoder" ? "unet" : phase
  }

  func knows(_ path: String) -> Bool {
    [
      "prompt", "vision.0", "i2t", "eva", "query.cond", "dit.step", "dit.sample.cond", "dit.sample.negative",
      "decoder.context", "decoder", "vae",
    ].contains { !names(phase: $0, step: 0, path: path).isEmpty }
  }

  func names(phase: String, step: Int, path: String) -> [(text: String, form: ActivationForm)] {
    switch phase {
    case "prompt": prompt(path).map { [($0, .rows)] } ?? []
    case "vision.0": vision(path).map { [($0, .rows)] } ?? []
    case "i2t":
      switch path {
      case "llm.norm": [("i2t.hidden.last", .rows)]
      case "llm.lm_head": [("i2t.logits.last", .values)]
      default: []
      }
    case "eva": path == "gen_vision.features" ? [("eva.features", .tokens)] : []
    case "query.cond", "query.negative", "query.reconstruct":
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

  private func vision(_ path: String) -> String? {
    switch path {
    case "vision.patch_embed.proj": return "vision.0.patch_embed"
    case "vision.image_order": return "vision.0.embeds"
    default: return Self.number(path, after: "vision.blocks.").map { "vision.0.block\($0)" }
    }
  }

  private func ditStep(_ path: String) -> [(text: String, form: ActivationForm)] {
    switch path {
    case "dit.patch_embedder.proj": return [("dit.step.patch", .tokens)]
    case "dit.caption_projection.linear_2": return [("dit.step.context", .tokens)]
    case "dit.time_caption_embed.timestep_embedder.linear_2.sum": return [("dit.step.temb", .vectors)]
    case "dit.norm_out.linear_2": return [("dit.step.velocity", .grid)]
    default:
      return Self.number(path, after: "dit.layers.").map { [("dit.step.block\($0)", .tokens)] } ?? []
    }
  }

  private func sample(_ phase: String, _ step: Int) -> [(text: String, form: ActivationForm)] {
    var found: [(text: String, form: ActivationForm)] = []
    if [0, 1, 9].contains(step) { found.append((phase + ".after\(step + 1)", .grid)) }
    if step == steps - 1 { found.append((phase + ".final", .grid)) }
    return found
  }

  private func unet(_ path: String) -> [(text: String, form: ActivationForm)] {
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
