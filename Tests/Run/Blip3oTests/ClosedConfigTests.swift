import Foundation
import JSONText
import Networks
import Tensors
import Testing
import TestSupport

@testable import Blip3o

/// Every key of a config that changes PyTorch's numbers is honoured, or refused where its value is not the one implemented.
@Suite struct ClosedConfigTests {
  private static let stock = Bundle.module.resourceURL!.appendingPathComponent("Fixtures/stock").path

  private static func object(_ name: String) -> [String: Any] {
    let data = FileManager.default.contents(atPath: stock + "/" + name + ".json")!
    return try! JSONSerialization.jsonObject(with: data) as! [String: Any]
  }

  private static func reader(_ object: [String: Any]) throws -> ConfigReader {
    try ConfigReader(file: "c.json", [UInt8](JSONSerialization.data(withJSONObject: object)))
  }

  private static let open: [String: @Sendable (ConfigReader) throws -> Void] = [
    "qwen2.5-vl": { _ = try (LanguageModelConfig($0), $0.section("vision_config").map { try VisionConfig($0) }) },
    "generation": { _ = try AnswerDefaults($0) }, "sdxl-unet": { _ = try UNetConfig($0) },
    "sdxl-vae": { _ = try VAEConfig($0) }, "sdxl-scheduler": { _ = try SchedulerConfig($0) },
  ]

  @Test(arguments: open.keys.sorted()) func stockConfigsOpen(name: String) throws {
    try Self.open[name]!(Self.reader(Self.object(name)))
  }

  /// Keys as transformers and diffusers have them, with values that give other numbers.
  static let refused: [(file: String, path: [String], value: String)] = [
    ("qwen2.5-vl", ["text_config", "hidden_act"], "\"gelu\""),
    ("qwen2.5-vl", ["text_config", "use_sliding_window"], "true"),
    ("qwen2.5-vl", ["text_config", "layer_types"], #"["full_attention","sliding_attention"]"#),
    ("qwen2.5-vl", ["text_config", "head_dim"], "64"),
    ("qwen2.5-vl", ["text_config", "partial_rotary_factor"], "0.5"),
    ("qwen2.5-vl", ["text_config", "rope_parameters"], #"{"rope_type":"yarn"}"#),
    ("qwen2.5-vl", ["text_config", "rope_parameters"], #"{"rope_type":"linear"}"#),
    ("qwen2.5-vl", ["text_config", "rope_scaling"], #"{"type":"yarn"}"#),
    ("qwen2.5-vl", ["text_config", "rope_scaling"], #"{"type":"dynamic"}"#),
    ("qwen2.5-vl", ["text_config", "rope_scaling"], #"{"rope_type":"llama3"}"#),
    ("qwen2.5-vl", ["text_config", "rope_scaling"], #"{"type":"default","factor":4}"#),
    ("qwen2.5-vl", ["vision_config", "hidden_act"], "\"quick_gelu\""),
    ("qwen2.5-vl", ["vision_config", "in_channels"], "4"),
    ("sdxl-unet", ["freq_shift"], "1"), ("sdxl-unet", ["center_input_sample"], "true"),
    ("sdxl-unet", ["resnet_time_scale_shift"], "\"scale_shift\""), ("sdxl-unet", ["only_cross_attention"], "true"),
    ("sdxl-unet", ["only_cross_attention"], "[false, true, false]"), ("sdxl-unet", ["num_attention_heads"], "8"),
    ("sdxl-unet", ["mid_block_type"], "\"UNetMidBlock2DSimpleCrossAttn\""), ("sdxl-unet", ["downsample_padding"], "0"),
    ("sdxl-unet", ["mid_block_scale_factor"], "1.41421356"), ("sdxl-unet", ["act_fn"], "\"gelu\""),
    ("sdxl-unet", ["dual_cross_attention"], "true"), ("sdxl-unet", ["use_linear_projection"], "false"),
    ("sdxl-unet", ["class_embed_type"], "\"timestep\""), ("sdxl-unet", ["num_class_embeds"], "10"),
    ("sdxl-unet", ["addition_embed_type"], "\"image\""), ("sdxl-unet", ["encoder_hid_dim"], "64"),
    ("sdxl-unet", ["encoder_hid_dim_type"], "\"text_proj\""), ("sdxl-unet", ["resnet_skip_time_act"], "true"),
    ("sdxl-unet", ["resnet_out_scale_factor"], "2.0"), ("sdxl-unet", ["time_embedding_type"], "\"fourier\""),
    ("sdxl-unet", ["time_embedding_dim"], "64"), ("sdxl-unet", ["time_embedding_act_fn"], "\"silu\""),
    ("sdxl-unet", ["timestep_post_act"], "\"silu\""), ("sdxl-unet", ["time_cond_proj_dim"], "256"),
    ("sdxl-unet", ["conv_in_kernel"], "1"), ("sdxl-unet", ["conv_out_kernel"], "1"),
    ("sdxl-unet", ["attention_type"], "\"gated\""), ("sdxl-unet", ["class_embeddings_concat"], "true"),
    ("sdxl-unet", ["mid_block_only_cross_attention"], "true"),
    ("sdxl-unet", ["cross_attention_norm"], "\"layer_norm\""),
    ("sdxl-unet", ["reverse_transformer_layers_per_block"], "[[10, 2], [1]]"),
    ("sdxl-unet", ["a_key_of_tomorrow"], "1"), ("sdxl-unet", ["_class_name"], "\"UNet2DModel\""),
    ("sdxl-vae", ["act_fn"], "\"gelu\""), ("sdxl-vae", ["shift_factor"], "0.1159"),
    ("sdxl-vae", ["latents_mean"], "[0, 0, 0, 0]"), ("sdxl-vae", ["latents_std"], "[1, 1, 1, 1]"),
    ("sdxl-vae", ["mid_block_add_attention"], "false"), ("sdxl-vae", ["_class_name"], "\"AutoencoderTiny\""),
    (
      "sdxl-vae", ["up_block_types"],
      #"["UpDecoderBlock2D","AttnUpDecoderBlock2D","UpDecoderBlock2D","UpDecoderBlock2D"]"#
    ),
    ("sdxl-scheduler", ["_class_name"], "\"DDIMScheduler\""), ("sdxl-scheduler", ["beta_schedule"], "\"linear\""),
    ("sdxl-scheduler", ["trained_betas"], "[0.1, 0.2]"), ("sdxl-scheduler", ["prediction_type"], "\"sample\""),
    ("sdxl-scheduler", ["interpolation_type"], "\"log_linear\""), ("sdxl-scheduler", ["use_karras_sigmas"], "true"),
    ("sdxl-scheduler", ["use_exponential_sigmas"], "true"), ("sdxl-scheduler", ["use_beta_sigmas"], "true"),
    ("sdxl-scheduler", ["sigma_min"], "0.1"), ("sdxl-scheduler", ["sigma_max"], "10"),
    ("sdxl-scheduler", ["timestep_spacing"], "\"linspace\""), ("sdxl-scheduler", ["timestep_type"], "\"continuous\""),
    ("sdxl-scheduler", ["rescale_betas_zero_snr"], "true"), ("sdxl-scheduler", ["final_sigmas_type"], "\"sigma_min\""),
    ("generation", ["num_beams"], "4"), ("generation", ["no_repeat_ngram_size"], "3"),
    ("generation", ["encoder_repetition_penalty"], "1.2"), ("generation", ["bad_words_ids"], "[[1]]"),
    ("generation", ["min_length"], "5"), ("generation", ["min_new_tokens"], "5"), ("generation", ["typical_p"], "0.9"),
    ("generation", ["epsilon_cutoff"], "0.1"), ("generation", ["eta_cutoff"], "0.1"), ("generation", ["min_p"], "0.05"),
    ("generation", ["forced_bos_token_id"], "1"), ("generation", ["forced_eos_token_id"], "1"),
    ("generation", ["suppress_tokens"], "[1]"), ("generation", ["begin_suppress_tokens"], "[1]"),
    ("generation", ["guidance_scale"], "2"), ("generation", ["penalty_alpha"], "0.6"),
    ("generation", ["repetition_penalty"], "-1"), ("generation", ["repetition_penalty"], "0"),
    ("generation", ["sequence_bias"], "[[[1], 2.0]]"), ("generation", ["dola_layers"], "\"high\""),
    ("generation", ["exponential_decay_length_penalty"], "[5, 1.1]"),
  ]

  @Test(arguments: refused.indices) func otherValuesAreRefusedByName(index: Int) throws {
    let (file, path, value) = Self.refused[index]
    var object = Self.object(file)
    let new = try JSONSerialization.jsonObject(with: Data(value.utf8), options: .fragmentsAllowed)
    if path.count == 2 {
      var inner = try #require(object[path[0]] as? [String: Any])
      inner[path[1]] = new
      object[path[0]] = inner
    } else {
      object[path[0]] = new
    }
    let reader = try Self.reader(object)
    #expect {
      try Self.open[file]!(reader)
    } throws: { error in
      // Of an object the key that is wrong in it is named.
      let named = ["rope_parameters": "rope_type", "rope_scaling": value.contains("rope_type") ? "rope_type" : "type"]
      let key = value.contains(#""default""#) ? "factor" : named[path.last!] ?? path.last!
      return (error as? any ReportingError)?.report.message.contains(key) == true
    }
  }

  /// The list is closed: each key with a fixed value refuses a value that nobody implements.
  @Test func everyFixedKeyRefusesAnotherValue() throws {
    for list: ClosedKeys in [
      .language, .rope, .vision, .unet, .vae, .scheduler, .dit, .eva, .preprocessor, .generation,
    ] {
      for key in list.fixed.keys {
        for other: Any in ["another", 0.123, ["a": 1], [0.123]] {
          #expect(throws: ConfigError.self, "\(key)") { try Self.reader([key: other]).close(list) }
        }
        try Self.reader([key: NSNull()]).close(list)
      }
    }
  }

  // MARK: What the folder says of answers and pictures

  @Test func generationConfigIsObeyed() throws {
    func defaults(_ text: String) throws -> AnswerDefaults {
      try AnswerDefaults(ConfigReader(file: "generation_config.json", Array(text.utf8)))
    }
    let release = try defaults(
      #"{"do_sample": true, "eos_token_id": [151645, 151643], "repetition_penalty": 1.05, "temperature": 1e-06, "top_k": 1, "top_p": 0.001}"#
    )
    #expect(release.sampling.repetitionPenalty == 1.05)
    #expect(release.sampling.temperature == 0)
    #expect(release.endTokens == [151_645, 151_643])
    let drawn = try defaults(#"{"do_sample": true, "temperature": 0.7, "top_k": 20, "top_p": 0.8, "eos_token_id": 7}"#)
    #expect(drawn.sampling.temperature == 0.7 && drawn.sampling.topK == 20 && drawn.sampling.topP == 0.8)
    #expect(drawn.sampling.repetitionPenalty == 1 && drawn.endTokens == [7])
    // Without do_sample the others are not read, as transformers does it.
    #expect(try defaults(#"{"temperature": 0.7, "top_k": 20}"#).sampling.temperature == 0)
  }

  @Test func preprocessorConfigIsObeyed() throws {
    let vision = try VisionConfig(#require(Self.reader(Self.object("qwen2.5-vl")).section("vision_config")))
    func config(_ text: String) throws -> PreprocessorConfig {
      try PreprocessorConfig(ConfigReader(file: "preprocessor_config.json", Array(text.utf8)), vision)
    }
    for (text, range) in [
      (#"{"min_pixels": 784, "max_pixels": 50176}"#, 784...50_176),
      (#"{"size": {"shortest_edge": 1568, "longest_edge": 25088}}"#, 1568...25_088),
      (#"{"max_pixels": 100352}"#, 3136...100_352), ("{}", 3136...12_845_056),
    ] {
      #expect(try config(text).pixelRange == range, "\(text)")
    }
    #expect(try config(#"{"image_mean": [0.5, 0.5, 0.5]}"#).mean == [0.5, 0.5, 0.5])
    for text in [
      #"{"min_pixels": 9, "max_pixels": 8}"#, #"{"max_pixels": 0}"#, #"{"max_pixels": 1e18}"#, #"{"patch_size": 16}"#,
      #"{"do_resize": false}"#, #"{"resample": 2}"#, #"{"rescale_factor": 1}"#, #"{"do_normalize": false}"#,
      #"{"image_std": [0, 1, 1]}"#, #"{"image_mean": [1]}"#,
    ] {
      #expect(throws: ConfigError.self, "\(text)") { try config(text) }
    }
  }

  /// As Python writes what no JSON has: read where nothing asks for it, named where it is.
  @Test func wordsOfPythonAreNamed() throws {
    let reader = try ConfigReader(
      file: "c.json", Array(#"{"a": NaN, "b": -Infinity, "n": {"c": [Infinity]}, "d": 1}"#.utf8))
    #expect(try reader.int("d") == 1)
    for (key, word) in [("a", "NaN"), ("b", "-Infinity")] {
      #expect {
        _ = try reader.double(key, default: 1)
      } throws: {
        let message = ($0 as? any ReportingError)?.report.message ?? ""
        return message.contains(word) && message.contains(key)
      }
    }
  }
}
