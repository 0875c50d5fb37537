import JSONText

/// The JSON files of a release folder. Source: the configuration that the released 8B prints when it loads, and the
/// configuration files of Emu2-Gen for the decoder.
struct SampleConfigs {
  let scale: SampleScale
  let tokens: SpecialTokens
  let vocabularySize: Int

  /// Relative path and content of each file.
  var files: [(path: String, json: JSONValue)] {
    [
      ("config.json", main),
      ("generation_config.json", generation),
      ("preprocessor_config.json", preprocessor),
      ("diffusion-decoder/model_index.json", modelIndex),
      ("diffusion-decoder/unet/config.json", unet),
      ("diffusion-decoder/vae/config.json", vae),
      ("diffusion-decoder/scheduler/scheduler_config.json", scheduler),
      ("diffusion-decoder/feature_extractor/preprocessor_config.json", featureExtractor),
    ]
  }

  private func id(_ token: String) -> JSONValue { .int(tokens.id(of: token)) }

  private var main: JSONValue {
    var members: KeyValuePairs<String, JSONValue> {
      [
        "architectures": ["blip3oQwenForCausalLM"], "attention_dropout": 0.0,
        "bos_token_id": id("<|endoftext|>"), "eos_token_id": id("<|im_end|>"), "pad_token_id": id("<|endoftext|>"),
        "freeze_mm_mlp_adapter": false, "gen_hidden_size": .int(scale.evaWidth), "gen_pooling": "early_pool2d_4",
        "gen_vision_tower": "eva-clip-E-14-plus", "hidden_act": "silu", "hidden_size": .int(scale.hidden),
        "image_aspect_ratio": "square", "image_token_id": id("<|image_pad|>"), "initializer_range": 0.02,
        "intermediate_size": .int(scale.feedForward), "max_position_embeddings": .int(scale.maxPositions),
        "max_window_layers": .int(scale.maxWindowLayers), "mm_patch_merge_type": "flat", "mm_projector_lr": .null,
        "mm_projector_type": "mlp2x_gelu", "mm_use_im_patch_token": false, "mm_use_im_start_end": false,
        "mm_vision_select_feature": "patch", "mm_vision_select_layer": -2, "model_type": "blip3o_qwen",
        "n_query": .int(scale.queryCount), "num_attention_heads": .int(scale.headCount),
        "num_hidden_layers": .int(scale.layerCount), "num_key_value_heads": .int(scale.keyValueHeadCount),
        "rms_norm_eps": 1e-06,
        "rope_scaling": .members([
          "mrope_section": .array(scale.ropeSections.map { .int($0) }), "rope_type": "default", "type": "default",
        ]),
        "rope_theta": 1_000_000.0, "sliding_window": .int(scale.slidingWindow),
        "tie_word_embeddings": .bool(scale.isTied), "tokenizer_model_max_length": 512,
        "tokenizer_padding_side": "right", "torch_dtype": "bfloat16", "transformers_version": "4.51.3",
        "tune_mm_mlp_adapter": false, "use_cache": true, "use_mm_proj": true, "use_sliding_window": false,
        "video_token_id": id("<|video_pad|>"), "vision_config": vision,
        "vision_end_token_id": id("<|vision_end|>"), "vision_start_token_id": id("<|vision_start|>"),
        "vision_token_id": id("<|vision_pad|>"), "vision_tower_pretrained": .null,
        "vocab_size": .int(vocabularySize),
      ]
    }
    guard !scale.isRelease, case .object(let list) = JSONValue.members(members) else { return .members(members) }
    // Not in the release, whose DiT and EVA sizes are constants of its code.
    return .object(list + [.init("dit_config", dit), .init("eva_config", eva)])
  }

  private var vision: JSONValue {
    .members([
      "depth": .int(scale.visionDepth),
      "fullatt_block_indexes": .array(scale.visionFullAttention.map { .int($0) }), "hidden_act": "silu",
      "hidden_size": .int(scale.visionHidden), "in_channels": 3, "in_chans": 3,
      "intermediate_size": .int(scale.visionFeedForward), "model_type": "qwen2_5_vl",
      "num_heads": .int(scale.visionHeadCount), "out_hidden_size": .int(scale.hidden), "patch_size": 14,
      "spatial_merge_size": 2, "spatial_patch_size": 14, "temporal_patch_size": 2, "tokens_per_second": 2,
      "torch_dtype": "bfloat16", "window_size": 112,
    ])
  }

  private var dit: JSONValue {
    .members([
      "input_size": 8, "patch_size": 1, "in_channels": .int(scale.ditWidth), "dim": .int(scale.ditWidth),
      "n_layers": .int(scale.ditLayerCount), "n_heads": .int(scale.ditHeadCount),
      "n_kv_heads": .int(scale.ditHeadCount), "multiple_of": .int(scale.ditMultiple), "ffn_dim_multiplier": .null,
      "norm_eps": 1e-05, "qk_norm": true, "latent_embedding_size": .int(scale.hidden),
    ])
  }

  private var eva: JSONValue {
    .members([
      "width": .int(scale.evaWidth), "layers": .int(scale.evaLayerCount), "head_width": .int(scale.evaHeadWidth),
      "mlp_ratio": .double(SampleScale.evaRatio), "image_size": .int(scale.evaImageSize), "patch_size": 14,
      "qkv_bias": true,
    ])
  }

  private var generation: JSONValue {
    .members([
      "attn_implementation": "flash_attention_2", "bos_token_id": id("<|endoftext|>"), "do_sample": true,
      "eos_token_id": .array([id("<|im_end|>"), id("<|endoftext|>")]), "pad_token_id": id("<|endoftext|>"),
      "repetition_penalty": 1.05, "temperature": 0.1, "top_k": 1, "top_p": 0.001, "transformers_version": "4.51.3",
    ])
  }

  private static let clipMean: JSONValue = [0.48145466, 0.4578275, 0.40821073]
  private static let clipDeviation: JSONValue = [0.26862954, 0.26130258, 0.27577711]

  private var preprocessor: JSONValue {
    .members([
      "do_convert_rgb": true, "do_normalize": true, "do_rescale": true, "do_resize": true,
      "image_mean": Self.clipMean, "image_processor_type": "Qwen2VLImageProcessor", "image_std": Self.clipDeviation,
      "max_pixels": 12_845_056, "merge_size": 2, "min_pixels": 3136, "patch_size": 14,
      "processor_class": "Qwen2_5_VLProcessor", "resample": 3, "rescale_factor": .double(1.0 / 255),
      "temporal_patch_size": 2,
    ])
  }

  private var featureExtractor: JSONValue {
    .members([
      "crop_size": .members(["height": 224, "width": 224]), "do_center_crop": true, "do_convert_rgb": true,
      "do_normalize": true, "do_rescale": true, "do_resize": true, "image_mean": Self.clipMean,
      "image_processor_type": "CLIPImageProcessor", "image_std": Self.clipDeviation, "resample": 3,
      "rescale_factor": .double(1.0 / 255), "size": .members(["shortest_edge": 224]),
    ])
  }

  private var modelIndex: JSONValue {
    .members([
      "_class_name": "EmuVisualGenerationPipeline", "_diffusers_version": "0.21.2",
      "feature_extractor": ["transformers", "CLIPImageProcessor"], "multimodal_encoder": [.null, .null],
      "safety_checker": ["stable_diffusion", "StableDiffusionSafetyChecker"],
      "scheduler": ["diffusers", "EulerDiscreteScheduler"], "tokenizer": [.null, .null],
      "unet": ["diffusers", "UNet2DConditionModel"], "vae": ["diffusers", "AutoencoderKL"],
    ])
  }

  private func list(_ numbers: [Int]) -> JSONValue { .array(numbers.map { .int($0) }) }

  private var unet: JSONValue {
    .members([
      "_class_name": "UNet2DConditionModel", "_diffusers_version": "0.21.2", "sample_size": .int(scale.unetSampleSize),
      "in_channels": 4, "out_channels": 4, "center_input_sample": false, "flip_sin_to_cos": true, "freq_shift": 0,
      "down_block_types": ["DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"],
      "mid_block_type": "UNetMidBlock2DCrossAttn",
      "up_block_types": ["CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"], "only_cross_attention": false,
      "block_out_channels": list(scale.unetChannels), "layers_per_block": .int(scale.unetLayersPerBlock),
      "downsample_padding": 1, "mid_block_scale_factor": 1, "act_fn": "silu",
      "norm_num_groups": .int(scale.unetGroups), "norm_eps": 1e-05, "cross_attention_dim": .int(scale.evaWidth),
      "transformer_layers_per_block": list(scale.unetDepths), "attention_head_dim": list(scale.unetHeads),
      "use_linear_projection": true, "addition_embed_type": "text_time",
      "addition_time_embed_dim": .int(scale.unetTimeWidth),
      "projection_class_embeddings_input_dim": .int(scale.evaWidth + 6 * scale.unetTimeWidth),
      "resnet_time_scale_shift": "default",
    ])
  }

  private var vae: JSONValue {
    .members([
      "_class_name": "AutoencoderKL", "_diffusers_version": "0.21.2", "in_channels": 3, "out_channels": 3,
      "act_fn": "silu", "down_block_types": .array(Array(repeating: "DownEncoderBlock2D", count: 4)),
      "up_block_types": .array(Array(repeating: "UpDecoderBlock2D", count: 4)),
      "block_out_channels": list(scale.vaeChannels), "layers_per_block": .int(scale.vaeLayersPerBlock),
      "latent_channels": 4, "norm_num_groups": .int(scale.vaeGroups), "sample_size": .int(scale.vaeSampleSize),
      "scaling_factor": 0.13025, "force_upcast": true,
    ])
  }

  private var scheduler: JSONValue {
    .members([
      "_class_name": "EulerDiscreteScheduler", "_diffusers_version": "0.21.2", "clip_sample": false,
      "sample_max_value": 1.0, "set_alpha_to_one": false, "skip_prk_steps": true, "trained_betas": .null,
      "beta_end": 0.012, "beta_schedule": "scaled_linear", "beta_start": 0.00085, "interpolation_type": "linear",
      "num_train_timesteps": 1000, "prediction_type": "epsilon", "steps_offset": 1, "timestep_spacing": "leading",
      "use_karras_sigmas": false,
    ])
  }
}
