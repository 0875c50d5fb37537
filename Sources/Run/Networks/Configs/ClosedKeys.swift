import JSONText

/// The keys of a config file that change what a network computes. A list is closed: a key is honoured, or its value is the one that
/// is implemented, or it changes nothing; any other is refused, so that no picture or answer is another than PyTorch's in silence.
package struct ClosedKeys {
  /// Keys that are read.
  package let honoured: Set<String>
  /// Keys with the values that are implemented. Absent and null are always allowed.
  package let fixed: [String: [JSONValue]]
  /// Keys that change nothing here, whatever they say.
  package let free: Set<String>
  /// Whether the file may hold other keys: a model's config has many that only its training reads.
  package let isOpen: Bool

  package init(honoured: Set<String>, fixed: [String: [JSONValue]], free: Set<String> = [], isOpen: Bool = false) {
    self.honoured = honoured
    self.fixed = fixed
    self.free = free
    self.isOpen = isOpen
  }
}

extension ConfigReader {
  /// - Throws: ``ConfigError`` for the first key whose value is not implemented.
  package func close(_ keys: ClosedKeys) throws(ConfigError) {
    for member in members where member.value != .null {
      if let allowed = keys.fixed[member.key] {
        guard !allowed.contains(where: { $0.isSame(as: member.value) }) else { continue }
        let list = allowed.map { $0.text() }.joined(separator: " or ")
        throw ConfigError(
          file: file, key: path(member.key),
          rule: "is \(shown(member.value)): " + (list.isEmpty ? "it is not implemented" : "only \(list) is implemented")
        )
      }
      let isKnown =
        keys.isOpen || member.key.hasPrefix("_") || keys.honoured.contains(member.key) || keys.free.contains(member.key)
      // What is switched off changes nothing.
      guard isKnown || member.value == .bool(false) else {
        throw ConfigError(
          file: file, key: path(member.key),
          rule: "is \(shown(member.value)): this key is not known, and might change the result")
      }
    }
  }

  private func shown(_ value: JSONValue) -> String {
    let text = value.text()
    return text.utf8.count <= 60 ? text : String(text.prefix(57)) + "..."
  }
}

extension JSONValue {
  /// Equality in which 1 is 1.0, and a list equals the value of which all its items are.
  fileprivate func isSame(as other: JSONValue) -> Bool {
    if self == other { return true }
    if let a = number, let b = other.number { return a == b || abs(a - b) <= 1e-12 * abs(a) }
    guard let items = other.array else { return false }
    if let own = array { return own.count == items.count && zip(own, items).allSatisfy { $0.isSame(as: $1) } }
    return !items.isEmpty && items.allSatisfy { isSame(as: $0) }
  }

  private var number: Double? { if case .bool = self { nil } else { double } }
}

extension ClosedKeys {
  /// Source: transformers, Qwen2.5-VL's text configuration; BLIP3-o's own keys.
  package static let language = ClosedKeys(
    honoured: [],
    fixed: [
      "hidden_act": ["silu"], "use_sliding_window": [false], "layer_types": ["full_attention"],
      "partial_rotary_factor": [1], "attention_bias": [true], "mlp_bias": [false], "logits_soft_cap": [],
      "final_logit_softcapping": [], "attn_logit_softcapping": [], "logit_scale": [1], "residual_multiplier": [1],
      "embedding_multiplier": [1], "attention_multiplier": [], "gen_pooling": ["early_pool2d_4"],
      "gen_vision_tower": ["eva-clip-E-14-plus"],
    ], isOpen: true)

  /// `rope_scaling`, or `rope_parameters` of later versions.
  package static let rope = ClosedKeys(
    honoured: ["mrope_section", "rope_theta"],
    fixed: ["type": ["default", "mrope"], "rope_type": ["default", "mrope"], "mrope_interleaved": [false]])

  /// Source: transformers, Qwen2.5-VL's vision configuration.
  package static let vision = ClosedKeys(
    honoured: [], fixed: ["hidden_act": ["silu"], "in_chans": [3], "in_channels": [3]], isOpen: true)

  /// Source: diffusers 0.42, UNet2DConditionModel.
  package static let unet = ClosedKeys(
    honoured: [
      "sample_size", "in_channels", "out_channels", "flip_sin_to_cos", "down_block_types", "up_block_types",
      "block_out_channels", "layers_per_block", "norm_num_groups", "norm_eps", "cross_attention_dim",
      "transformer_layers_per_block", "attention_head_dim", "addition_time_embed_dim",
      "projection_class_embeddings_input_dim",
    ],
    fixed: [
      "_class_name": ["UNet2DConditionModel"], "center_input_sample": [false], "freq_shift": [0],
      "mid_block_type": ["UNetMidBlock2DCrossAttn"], "only_cross_attention": [false], "downsample_padding": [1],
      "mid_block_scale_factor": [1], "act_fn": ["silu", "swish"], "reverse_transformer_layers_per_block": [],
      "encoder_hid_dim": [], "encoder_hid_dim_type": [], "num_attention_heads": [], "dual_cross_attention": [false],
      "use_linear_projection": [true], "class_embed_type": [], "addition_embed_type": ["text_time"],
      "num_class_embeds": [], "resnet_time_scale_shift": ["default"], "resnet_skip_time_act": [false],
      "resnet_out_scale_factor": [1], "time_embedding_type": ["positional"], "time_embedding_dim": [],
      "time_embedding_act_fn": [], "timestep_post_act": [], "time_cond_proj_dim": [], "conv_in_kernel": [3],
      "conv_out_kernel": [3], "attention_type": ["default"], "class_embeddings_concat": [false],
      "mid_block_only_cross_attention": [false], "cross_attention_norm": [],
    ],
    // Dropout is for training; the numbers here are f32, so that nothing need be cast up.
    free: ["dropout", "upcast_attention", "addition_embed_type_num_heads"])

  /// Source: diffusers 0.42, AutoencoderKL; only the decoder is run.
  package static let vae = ClosedKeys(
    honoured: [
      "out_channels", "block_out_channels", "layers_per_block", "latent_channels", "norm_num_groups", "scaling_factor",
      "use_post_quant_conv",
    ],
    fixed: [
      "_class_name": ["AutoencoderKL"], "up_block_types": ["UpDecoderBlock2D"], "act_fn": ["silu", "swish"],
      "shift_factor": [0], "latents_mean": [], "latents_std": [], "mid_block_add_attention": [true],
    ],
    free: ["in_channels", "down_block_types", "sample_size", "force_upcast", "use_quant_conv"])

  /// Source: diffusers 0.42, EulerDiscreteScheduler. Keys of other schedulers, which files of old hold too, are not read by it.
  package static let scheduler = ClosedKeys(
    honoured: ["num_train_timesteps", "beta_start", "beta_end", "steps_offset"],
    fixed: [
      "_class_name": ["EulerDiscreteScheduler"], "beta_schedule": ["scaled_linear"], "trained_betas": [],
      "prediction_type": ["epsilon"], "interpolation_type": ["linear"], "use_karras_sigmas": [false],
      "use_exponential_sigmas": [false], "use_beta_sigmas": [false], "sigma_min": [], "sigma_max": [],
      "timestep_spacing": ["leading"], "timestep_type": ["discrete"], "rescale_betas_zero_snr": [false],
      "final_sigmas_type": ["zero"],
    ],
    free: [
      "clip_sample", "clip_sample_range", "sample_max_value", "set_alpha_to_one", "skip_prk_steps", "thresholding",
    ])

  /// Keys of other scales than the release's, which has none of them. Sizes are read off the tensors.
  package static let dit = ClosedKeys(
    honoured: ["input_size", "norm_eps"], fixed: ["patch_size": [1], "qk_norm": [true]],
    free: [
      "in_channels", "dim", "n_layers", "n_heads", "n_kv_heads", "multiple_of", "ffn_dim_multiplier",
      "latent_embedding_size",
    ])

  package static let eva = ClosedKeys(
    honoured: ["head_width"], fixed: [:],
    free: ["width", "layers", "mlp_ratio", "image_size", "patch_size", "qkv_bias"])

  /// Source: transformers, Qwen2VLImageProcessor.
  package static let preprocessor = ClosedKeys(
    honoured: ["min_pixels", "max_pixels", "size", "image_mean", "image_std"],
    fixed: [
      "do_resize": [true], "do_rescale": [true], "do_normalize": [true], "resample": [3],
      "rescale_factor": [.double(1 / 255)],
      "do_center_crop": [false], "do_pad": [false], "crop_size": [],
      "image_processor_type": [
        "Qwen2VLImageProcessor", "Qwen2VLImageProcessorFast", "Qwen2VLImageProcessorPil", "Qwen2_5_VLImageProcessor",
      ],
    ],
    free: [
      "do_convert_rgb", "processor_class", "patch_size", "merge_size", "temporal_patch_size", "data_format", "device",
      "input_data_format", "return_tensors", "default_to_square", "disable_grouping", "chat_template",
    ], isOpen: true)

  /// Source: transformers, GenerationConfig: what its `generate` would do to the logits besides.
  package static let generation = ClosedKeys(
    honoured: ["repetition_penalty", "do_sample", "temperature", "top_k", "top_p", "eos_token_id"],
    fixed: [
      "num_beams": [1], "num_beam_groups": [1], "penalty_alpha": [], "no_repeat_ngram_size": [0],
      "encoder_no_repeat_ngram_size": [0], "encoder_repetition_penalty": [1], "bad_words_ids": [], "min_length": [0],
      "min_new_tokens": [0], "typical_p": [1], "epsilon_cutoff": [0], "eta_cutoff": [0], "min_p": [0],
      "diversity_penalty": [0], "forced_bos_token_id": [], "forced_eos_token_id": [], "suppress_tokens": [],
      "begin_suppress_tokens": [], "sequence_bias": [], "guidance_scale": [1], "exponential_decay_length_penalty": [],
      "dola_layers": [], "watermarking_config": [], "renormalize_logits": [false],
    ], isOpen: true)
}
