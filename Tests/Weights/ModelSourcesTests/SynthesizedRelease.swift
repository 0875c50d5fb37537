import Foundation
import TestSupport

@testable import ModelSources

/// The families that have a map and cannot be run: their releases' sizes, small ones, and folders of both.
enum SynthesizedRelease: String, CaseIterable {
  case next = "blip3o-next"
  case reconstruction = "siglip2-sana"

  /// Number of tensors and parameters of the release, without the second copy of the embedding.
  var counts: (tensors: Int, parameters: Int) {
    switch self {
    case .next: (1693, 4_372_214_281)
    case .reconstruction: (1224, 2_353_455_363)
    }
  }

  var componentNames: [String] {
    switch self {
    case .next: ["ta_tok", "llm", "connector", "sana", "vae_encoder", "vae_decoder"]
    case .reconstruction: ["siglip2", "connector", "sana", "vae_encoder", "vae_decoder"]
    }
  }

  /// The names that the release's own config.json has for the model.
  static let ownNames = #""architectures": ["Qwen3ForCausalLM"], "model_type": "qwen3""#
  /// Those of the 4B and 8B, which the code of the other releases gives as well.
  static let othersNames = #""architectures": ["blip3oQwenForCausalLM"], "model_type": "blip3o_qwen""#

  /// config.json for sizes.
  func config(_ symbols: [String: Int], names: String = ownNames) -> String {
    switch self {
    case .next:
      """
      {\(names), "hidden_size": \(symbols["h"]!), "intermediate_size": \(symbols["ffn"]!),
       "num_hidden_layers": \(symbols["layers"]!), "vocab_size": \(symbols["vocab"]!), "tie_word_embeddings": true,
       "diffusion_name_or_path": "sana", "num_scale_tokens": 3}
      """
    case .reconstruction: #"{\#(names), "unet_id": "sana", "vae_id": "sana", "scheduler_id": "sana"}"#
    }
  }

  private var ownSymbols: (release: [String: Int], small: [String: Int]) {
    switch self {
    case .next:
      (
        [
          "h": 2048, "ffn": 6144, "layers": 28, "vocab": 217_210, "q": 2048, "kv": 1024, "head": 128,
          "t": 1152, "t_ffn": 4304, "t_depth": 27, "t_positions": 729, "t_patch": 14, "t_code": 1536, "t_codes": 65536,
          "t_back_ffn": 3072, "t_back_depth": 3, "t_back_positions": 256,
        ],
        [
          "h": 64, "ffn": 96, "layers": 2, "vocab": 83, "q": 96, "kv": 32, "head": 16,
          "t": 48, "t_ffn": 72, "t_depth": 2, "t_positions": 9, "t_patch": 4, "t_code": 40, "t_codes": 50,
          "t_back_ffn": 56, "t_back_depth": 1, "t_back_positions": 4,
        ]
      )
    case .reconstruction:
      (
        ["vis": 1152, "vis_ffn": 4304, "vis_depth": 27, "vis_positions": 1024, "vis_patch": 16],
        ["vis": 48, "vis_ffn": 72, "vis_depth": 2, "vis_positions": 9, "vis_patch": 4]
      )
    }
  }

  /// Values of the map's symbols in the release.
  var releaseSymbols: [String: Int] {
    ownSymbols.release.merging([
      "s": 2240, "s_in": 32, "s_out": 32, "s_sinusoid": 256, "s_caption": 2304, "s_ffn": 5600, "s_layers": 20,
      "v0": 128, "v1": 256, "v2": 512, "v3": 512, "v4": 1024, "v5": 1024, "v_latent": 32, "v_image": 3, "v_head": 32,
    ]) { first, _ in first }
  }

  /// Values that leave a few megabytes, all of them different where they may be.
  var smallSymbols: [String: Int] {
    ownSymbols.small.merging([
      "s": 64, "s_in": 8, "s_out": 8, "s_sinusoid": 32, "s_caption": 80, "s_ffn": 48, "s_layers": 2,
      "v0": 8, "v1": 16, "v2": 24, "v3": 32, "v4": 40, "v5": 48, "v_latent": 8, "v_image": 3, "v_head": 8,
    ]) { first, _ in first }
  }

  func expected(_ symbols: [String: Int]) throws -> [ExpectedTensor] {
    let map = try FamilyMap.builtIn().first { $0.name == rawValue }!
    return try map.components.flatMap { try map.tensors(of: $0, symbols: symbols) }
  }

  /// A folder of the release's names and sizes, without data.
  func sparse(
    names: String = ownNames, where isIncluded: (String) -> Bool = { _ in true }
  ) throws -> TemporaryFolder {
    let folder = TemporaryFolder()
    folder.write(config(releaseSymbols, names: names), to: "m/config.json")
    try SafetensorsFile.writeSparse(
      ReleaseManifest(rawValue).tensors.filter { isIncluded($0.name) }, to: folder["m/model.safetensors"])
    return folder
  }

  /// A small folder with random values, and the head a copy of the embedding where there is one.
  func small(hasHead: Bool = true) throws -> TemporaryFolder {
    let folder = TemporaryFolder()
    var generator = SeededGenerator(70)
    var embedding: [UInt8] = []
    let tensors = try expected(smallSymbols).filter { hasHead || $0.role != "head" }.map { tensor in
      var data = generator.normals(tensor.shape!.reduce(1, *)).flatMap { value in
        withUnsafeBytes(of: UInt16(value.bitPattern >> 16).littleEndian) { Array($0) }
      }
      if tensor.role == "embedding" { embedding = data }
      if tensor.role == "head" { data = embedding }
      return (name: tensor.sourceName, dtype: "BF16", shape: tensor.shape!, data: data)
    }
    folder.write(config(smallSymbols), to: "m/config.json")
    folder.write(SafetensorsFile.bytes(tensors), to: "m/model.safetensors")
    return folder
  }
}
