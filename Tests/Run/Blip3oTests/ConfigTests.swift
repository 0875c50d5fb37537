import Foundation
import Networks
import Tensors
import Testing
import TestSupport

@testable import Blip3o

/// Config files are hostile: a value becomes a size only when it fits.
@Suite struct ConfigTests {
  static let bad: [(file: String, key: String, value: String)] = [
    ("config.json", "hidden_size", "0"), ("config.json", "hidden_size", "-64"), ("config.json", "hidden_size", "6.4"),
    ("config.json", "hidden_size", "\"64\""), ("config.json", "hidden_size", "63"),
    ("config.json", "num_hidden_layers", "100000"), ("config.json", "num_attention_heads", "3"),
    ("config.json", "num_key_value_heads", "3"), ("config.json", "vocab_size", "null"),
    ("config.json", "rms_norm_eps", "\"small\""), ("config.json", "rope_theta", "-1"),
    ("config.json", "rope_scaling", "{\"mrope_section\": [1, 1, 1]}"),
    ("config.json", "rope_scaling", "{\"mrope_section\": [8]}"), ("config.json", "n_query", "0"),
    ("config.json", "dit_config", "{\"patch_size\": 2}"), ("config.json", "dit_config", "{\"input_size\": 0}"),
    ("diffusion-decoder/unet/config.json", "block_out_channels", "[]"),
    ("diffusion-decoder/unet/config.json", "block_out_channels", "[8, 16]"),
    ("diffusion-decoder/unet/config.json", "norm_num_groups", "3"),
    ("diffusion-decoder/unet/config.json", "attention_head_dim", "[1, 3, 4]"),
    ("diffusion-decoder/unet/config.json", "down_block_types", "[\"A\", \"B\", \"C\"]"),
    ("diffusion-decoder/unet/config.json", "up_block_types", "[\"UpBlock2D\", \"UpBlock2D\", \"UpBlock2D\"]"),
    ("diffusion-decoder/unet/config.json", "use_linear_projection", "false"),
    ("diffusion-decoder/unet/config.json", "addition_embed_type", "\"text\""),
    ("diffusion-decoder/unet/config.json", "projection_class_embeddings_input_dim", "7"),
    ("diffusion-decoder/unet/config.json", "act_fn", "\"relu\""),
    ("diffusion-decoder/unet/config.json", "in_channels", "9"), ("config.json", "vocab_size", "300"),
    ("diffusion-decoder/vae/config.json", "latent_channels", "3"),
    ("diffusion-decoder/vae/config.json", "scaling_factor", "0"),
    ("diffusion-decoder/vae/config.json", "out_channels", "4"),
    ("diffusion-decoder/vae/config.json", "norm_num_groups", "5"),
    ("diffusion-decoder/scheduler/scheduler_config.json", "timestep_spacing", "\"trailing\""),
    ("diffusion-decoder/scheduler/scheduler_config.json", "prediction_type", "\"v_prediction\""),
    ("diffusion-decoder/scheduler/scheduler_config.json", "beta_start", "2"),
    ("diffusion-decoder/scheduler/scheduler_config.json", "use_karras_sigmas", "true"),
    ("config.json", "vision_config", "{}"),
  ]

  @Test(arguments: Self.bad.indices) func badValuesAreRefused(number: Int) throws {
    let (file, key, value) = Self.bad[number]
    let folder = TemporaryFolder()
    try FileManager.default.copyItem(atPath: Goldens("tiny").checkpoint, toPath: folder["m"])
    // A later member of the same name is refused by the reader, so the old one must go.
    let url = URL(fileURLWithPath: folder["m/" + file])
    var json = try #require(JSONSerialization.jsonObject(with: Data(contentsOf: url)) as? [String: Any])
    json[key] = try JSONSerialization.jsonObject(with: Data(value.utf8), options: .fragmentsAllowed)
    try JSONSerialization.data(withJSONObject: json).write(to: url)
    #expect {
      let model = try Model(path: folder["m"])
      _ = try (model.languageModel(), model.queries(), model.dit(), model.unet(), model.vaeDecoder())
      _ = try (model.schedulerConfig(), model.visionTower())
    } throws: {
      $0 is any ReportingError
    }
  }

  @Test func wideHeadsAreRefused() throws {
    let reader = try ConfigReader(
      file: "c",
      Array(
        """
        {"hidden_size": 8192, "intermediate_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1,
        "num_key_value_heads": 1, "vocab_size": 8}
        """.utf8))
    #expect(throws: ConfigError.self) { try LanguageModelConfig(reader) }
  }
}
