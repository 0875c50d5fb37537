import NetworkRuntime
import Testing

@testable import Blip3o

/// Every operation of every network, by path: a list that changes only on purpose.
@Suite struct OperationListTests {
  private final class Paths: Observer {
    var list: [String] = []
    func wants(_ path: String) -> ObservedValues { .output }
    func didRun(_ operation: NetworkOperation, output: Activation?) { list.append(operation.path) }
  }

  private func paths(_ body: (Execution) throws -> Void) throws -> [String] {
    let paths = Paths()
    _ = try Execution.plan(observers: [paths], body)
    #expect(Set(paths.list).count == paths.list.count, "a path occurs twice")
    return paths.list
  }

  private func prefixed(_ path: String, _ parts: [String]) -> [String] { parts.map { path + "." + $0 } }

  @Test(arguments: Goldens.names) func languageModel(name: String) throws {
    let model = try Model(path: Goldens(name).checkpoint)
    let language = try model.languageModel()
    let found = try paths { run in
      let x = run.take(width: 3, channels: model.language.hiddenSize)
      try language.embed(run, ids: [1, 2, 3], into: x)
      try language.forward(run, x, positions: [(0, 0, 0), (1, 1, 1), (2, 2, 2)])
      try language.logits(run, x, into: run.take(width: 3, channels: model.language.vocabularySize))
    }
    let layers = (0..<model.language.layerCount).flatMap { layer in
      let path = "llm.layers.\(layer)"
      return prefixed(
        path,
        [
          "input_layernorm", "self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.rotate_q",
          "self_attn.rotate_k", "self_attn.attention", "self_attn.o_proj", "self_attn.o_proj.sum",
          "post_attention_layernorm", "mlp.gate_proj",
          "mlp.up_proj", "mlp.product", "mlp.down_proj", "mlp.down_proj.sum",
        ]) + [path]
    }
    #expect(found == ["llm.embed_tokens"] + layers + ["llm.norm", "llm.lm_head"])
  }

  @Test(arguments: Goldens.names) func dit(name: String) throws {
    let model = try Model(path: Goldens(name).checkpoint)
    let dit = try model.dit()
    let found = try paths { run in
      let condition = run.take(batch: 2, width: model.language.queryCount, channels: model.language.hiddenSize)
      let context = try dit.context(run, condition)
      let x = run.take(batch: 2, width: dit.config.gridSide * dit.config.gridSide, channels: dit.config.channels)
      try dit.forward(run, x, timestep: 1, context, into: run.take(like: x))
    }
    let embed = "dit.time_caption_embed"
    let context =
      prefixed("dit.caption_projection", ["linear_1", "gelu", "linear_2"])
      + prefixed(embed, ["mean", "caption_embedder.0", "caption_embedder.1"])
    let contexts = (0..<dit.config.layerCount).flatMap {
      prefixed("dit.layers.\($0)", ["norm1_context", "attn2.to_k", "attn2.norm_k", "attn2.to_v"])
    }
    let start =
      ["dit.patch_embedder.proj"]
      + prefixed(embed + ".timestep_embedder", ["linear_1", "silu", "linear_2", "linear_2.sum"]) + [embed + ".silu"]
    let layers = (0..<dit.config.layerCount).flatMap { layer in
      let path = "dit.layers.\(layer)"
      return prefixed(
        path,
        [
          "norm1.linear", "norm1.scale_attn", "norm1.gate_attn", "norm1.gate_attn.tanh", "norm1.scale_mlp",
          "norm1.gate_mlp", "norm1.gate_mlp.tanh", "norm1.norm", "attn1.to_q", "attn1.norm_q", "attn1.rotate_q",
          "attn1.to_k", "attn1.norm_k", "attn1.rotate_k", "attn1.to_v", "attn1.attention", "attn2.to_q",
          "attn2.norm_q", "attn2.rotate_q", "attn2.attention", "gate", "attn2.to_out.0", "norm2", "attn_residual",
          "ffn_norm1", "feed_forward.linear_1", "feed_forward.linear_3", "feed_forward.product",
          "feed_forward.linear_2", "ffn_norm2", "mlp_residual",
        ]) + [path]
    }
    #expect(found == context + contexts + start + layers + prefixed("dit.norm_out", ["linear_1", "norm", "linear_2"]))
  }

  private func resnet(_ path: String, time: Bool, shortcut: Bool) -> [String] {
    prefixed(path, ["norm1", "conv1"]) + (time ? prefixed(path, ["time_emb_proj", "time_sum"]) : [])
      + prefixed(path, ["norm2"]) + (shortcut ? prefixed(path, ["conv_shortcut"]) : [])
      + prefixed(path, ["conv2", "conv2.sum"])
      + [path]
  }

  private func transformer(_ path: String, depth: Int) -> [String] {
    let attention = ["to_q", "to_k", "to_v", "attention", "to_out.0", "to_out.0.sum"]
    return prefixed(path, ["norm", "proj_in"])
      + (0..<depth).flatMap { index -> [String] in
        let block = path + ".transformer_blocks.\(index)"
        return prefixed(block, ["norm1"]) + prefixed(block + ".attn1", attention) + prefixed(block, ["norm2"])
          + prefixed(block + ".attn2", ["to_q", "attention", "to_out.0", "to_out.0.sum"])
          + prefixed(block, ["norm3", "ff.net.0.proj", "ff.geglu", "ff.net.2", "ff.net.2.sum"]) + [block]
      } + prefixed(path, ["proj_out", "proj_out.sum"]) + [path]
  }

  @Test(arguments: Goldens.names) func unet(name: String) throws {
    let unet = try Model(path: Goldens(name).checkpoint).unet()
    let c = unet.config
    let side = unet.sideMultiple
    let found = try paths { run in
      let x = run.take(batch: 2, height: side, width: side, channels: 4)
      let context = run.take(batch: 2, width: 3, channels: c.contextWidth)
      let pooled = run.take(batch: 2, width: 1, channels: c.contextWidth)
      let made = try unet.context(run, context, pooled: pooled, timeIDs: [1, 1, 0, 0, 1, 1])
      try unet.forward(run, x, timestep: 1, made, into: run.take(like: x))
    }
    // Once for all steps: keys and values of the context.
    let attentions =
      c.channels.indices.flatMap { level in
        (0..<(c.depths[level] > 0 ? c.layersPerBlock : 0)).map { ("down_blocks.\(level).attentions.\($0)", level) }
      } + [("mid_block.attentions.0", c.channels.count - 1)]
      + c.channels.indices.flatMap { number in
        let level = c.channels.count - 1 - number
        return (0..<(c.depths[level] > 0 ? c.layersPerBlock + 1 : 0)).map {
          ("up_blocks.\(number).attentions.\($0)", level)
        }
      }
    var expected = attentions.flatMap { path, level in
      (0..<c.depths[level]).flatMap {
        prefixed("unet.\(path).transformer_blocks.\($0).attn2", ["to_k", "to_v"])
      }
    }
    expected += prefixed(
      "unet",
      [
        "time_proj", "add_time_proj", "time_embedding.linear_1", "time_embedding.silu", "time_embedding.linear_2",
        "add_embedding.concatenate", "add_embedding.linear_1", "add_embedding.silu", "add_embedding.linear_2",
        "embedding.sum", "embedding.silu", "conv_in",
      ])
    let last = c.channels.count - 1
    for level in c.channels.indices {
      let path = "unet.down_blocks.\(level)"
      for index in 0..<c.layersPerBlock {
        let isWider = index == 0 && level > 0 && c.channels[level] != c.channels[level - 1]
        expected += resnet(path + ".resnets.\(index)", time: true, shortcut: isWider)
        if c.depths[level] > 0 { expected += transformer(path + ".attentions.\(index)", depth: c.depths[level]) }
      }
      if level < last { expected.append(path + ".downsamplers.0.conv") }
      expected.append(path)
    }
    let middle = "unet.mid_block"
    expected += resnet(middle + ".resnets.0", time: true, shortcut: false)
    expected += transformer(middle + ".attentions.0", depth: c.depths[last])
    expected += resnet(middle + ".resnets.1", time: true, shortcut: false) + [middle]
    for number in c.channels.indices {
      let level = last - number
      let path = "unet.up_blocks.\(number)"
      for index in 0...c.layersPerBlock {
        expected.append(path + ".resnets.\(index).concatenate")
        expected += resnet(path + ".resnets.\(index)", time: true, shortcut: true)
        if c.depths[level] > 0 { expected += transformer(path + ".attentions.\(index)", depth: c.depths[level]) }
      }
      if level > 0 { expected.append(path + ".upsamplers.0.conv") }
      expected.append(path)
    }
    #expect(found == expected + ["unet.conv_norm_out", "unet.conv_out"])
  }

  @Test(arguments: Goldens.names) func vaeDecoder(name: String) throws {
    let vae = try Model(path: Goldens(name).checkpoint).vaeDecoder()
    let found = try paths { run in
      let z = run.take(height: 2, width: 2, channels: vae.config.latentChannels)
      try vae.forward(run, z, into: run.take(height: 2 * vae.config.scale, width: 2 * vae.config.scale, channels: 3))
    }
    let middle = "vae.decoder.mid_block"
    var expected = ["vae.post_quant_conv", "vae.decoder.conv_in"]
    expected += resnet(middle + ".resnets.0", time: false, shortcut: false)
    expected += prefixed(
      middle + ".attentions.0", ["group_norm", "to_q", "to_k", "to_v", "attention", "to_out.0", "to_out.0.sum"])
    expected += [middle + ".attentions.0"]
    expected += resnet(middle + ".resnets.1", time: false, shortcut: false) + [middle]
    let channels = Array(vae.config.channels.reversed())
    for level in channels.indices {
      let path = "vae.decoder.up_blocks.\(level)"
      for index in 0...vae.config.layersPerBlock {
        let isNarrower = index == 0 && level > 0 && channels[level] != channels[level - 1]
        expected += resnet(path + ".resnets.\(index)", time: false, shortcut: isNarrower)
      }
      if level < channels.count - 1 { expected.append(path + ".upsamplers.0.conv") }
      expected.append(path)
    }
    #expect(found == expected + prefixed("vae.decoder", ["conv_norm_out", "conv_out"]))
  }
}
