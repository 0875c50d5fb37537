import JSONText

/// Sizes of a synthetic BLIP3-o release. `4b` and `8b` are those of the release.
public struct SampleScale: Sendable {
  public let name: String
  // Language model.
  var hidden = 3584
  var feedForward = 18944
  var layerCount = 28
  var headCount = 28
  var keyValueHeadCount = 4
  var isTied = false
  var maxWindowLayers = 28
  var slidingWindow = 32768
  var maxPositions = 128000
  var ropeSections = [16, 24, 24]
  var queryCount = 64
  // Vision tower.
  var visionHidden = 1280
  var visionFeedForward = 3420
  var visionDepth = 32
  var visionHeadCount = 16
  var visionFullAttention = [7, 15, 23, 31]
  // DiT.
  var ditWidth = 1792
  var ditLayerCount = 24
  var ditHeadCount = 28
  var ditMultiple = 256
  // EVA-CLIP tower.
  var evaWidth = 1792
  var evaLayerCount = 64
  var evaHeadWidth = 112
  var evaImageSize = 448
  // Decoder.
  var unetChannels = [320, 640, 1280]
  var unetGroups = 32
  var unetHeads = [5, 10, 20]
  var unetTimeWidth = 256
  var unetSampleSize = 128
  var unetDepths = [1, 2, 10]
  var unetLayersPerBlock = 2
  var vaeChannels = [128, 256, 512, 512]
  var vaeGroups = 32
  var vaeLayersPerBlock = 2
  var vaeSampleSize = 1024
  var staleChannels = [128, 256, 512, 512]
  var staleLayersPerBlock = 2
  // Files.
  var mergeCount = 2000
  /// Id of `<|endoftext|>`; nil puts it right behind the learned vocabulary.
  var firstSpecialID: Int? = 151_643
  var shardByteCount = 5_000_000_000

  /// The scales by name.
  public static let all: [SampleScale] = [tiny, small, release4B, release8B]

  static let release8B = SampleScale(name: "8b")
  static let release4B: SampleScale = {
    var scale = SampleScale(name: "4b")
    scale.hidden = 2048
    scale.feedForward = 11008
    scale.layerCount = 36
    scale.headCount = 16
    scale.keyValueHeadCount = 2
    scale.isTied = true
    scale.maxWindowLayers = 70
    return scale
  }()
  /// Every structural feature in a few megabytes.
  public static let tiny: SampleScale = {
    var scale = SampleScale(name: "tiny")
    scale.hidden = 128
    scale.feedForward = 256
    scale.layerCount = 3
    scale.headCount = 4
    scale.keyValueHeadCount = 2
    scale.maxWindowLayers = 3
    scale.slidingWindow = 4096
    scale.maxPositions = 4096
    scale.ropeSections = [4, 6, 6]
    scale.visionHidden = 64
    scale.visionFeedForward = 160
    scale.visionDepth = 4
    scale.visionHeadCount = 2
    scale.visionFullAttention = [1, 3]
    scale.ditWidth = 64
    scale.ditLayerCount = 3
    scale.ditHeadCount = 4
    scale.ditMultiple = 32
    scale.evaWidth = 64
    scale.evaLayerCount = 2
    scale.evaHeadWidth = 32
    scale.evaImageSize = 112
    scale.unetChannels = [32, 64, 64]
    scale.unetGroups = 8
    scale.unetHeads = [1, 2, 4]
    scale.unetTimeWidth = 32
    scale.unetSampleSize = 16
    scale.unetDepths = [1, 1, 2]
    scale.unetLayersPerBlock = 1
    scale.vaeChannels = [16, 32, 32, 32]
    scale.vaeGroups = 8
    scale.vaeLayersPerBlock = 1
    scale.vaeSampleSize = 128
    scale.staleChannels = [16, 16, 32, 32]
    scale.staleLayersPerBlock = 1
    scale.mergeCount = 512
    scale.firstSpecialID = nil
    scale.shardByteCount = 1_500_000
    return scale
  }()
  /// Big enough for speed and quantization error.
  static let small: SampleScale = {
    var scale = SampleScale(name: "small")
    scale.hidden = 768
    scale.feedForward = 2048
    scale.layerCount = 8
    scale.headCount = 12
    scale.keyValueHeadCount = 2
    scale.maxWindowLayers = 8
    scale.maxPositions = 32768
    scale.ropeSections = [8, 12, 12]
    scale.visionHidden = 320
    scale.visionFeedForward = 860
    scale.visionDepth = 8
    scale.visionHeadCount = 4
    scale.visionFullAttention = [1, 3, 5, 7]
    scale.ditWidth = 448
    scale.ditLayerCount = 6
    scale.ditHeadCount = 7
    scale.evaWidth = 448
    scale.evaLayerCount = 4
    scale.unetChannels = [128, 256, 384]
    scale.unetHeads = [2, 4, 6]
    scale.unetTimeWidth = 64
    scale.unetSampleSize = 64
    scale.unetDepths = [1, 1, 2]
    scale.vaeChannels = [64, 128, 128, 128]
    scale.vaeSampleSize = 512
    scale.staleChannels = [32, 64, 128, 128]
    scale.firstSpecialID = nil
    scale.shardByteCount = 100_000_000
    return scale
  }()

  private init(name: String) { self.name = name }

  var headWidth: Int { hidden / headCount }
  /// Feed-forward width of the DiT: two thirds of four times the width, rounded up. Source: nextdit_crossattn.py.
  var ditFeedForward: Int { (2 * 4 * ditWidth / 3 + ditMultiple - 1) / ditMultiple * ditMultiple }
  var evaFeedForward: Int { Int(Double(evaWidth) * Self.evaRatio) }
  static let evaRatio = 8.571428571428571
  var isRelease: Bool { name == "4b" || name == "8b" }

  /// Values for the symbols of the family map.
  func symbols(vocabularySize: Int) -> [String: Int] {
    var symbols = [
      "h": hidden, "ffn": feedForward, "layers": layerCount, "vocab": vocabularySize, "tied": isTied ? 1 : 0,
      "n_query": queryCount, "q": hidden, "kv": headWidth * keyValueHeadCount,
      "vis": visionHidden, "vis_ffn": visionFeedForward, "vis_depth": visionDepth, "vis_channels": 3,
      "vis_patch": 14, "vis_frames": 2, "vis_merge": 2,
      "d": ditWidth, "d_patch": ditWidth, "d_time": min(ditWidth, 1024), "d_sinusoid": 256,
      "d_layers": ditLayerCount, "d_kv": ditWidth, "d_heads": ditHeadCount, "d_ffn": ditFeedForward,
      "eva": evaWidth, "eva_positions": (evaImageSize / 14) * (evaImageSize / 14) + 1, "eva_patch": 14,
      "eva_depth": evaLayerCount, "eva_ffn": evaFeedForward,
      "u_layers": unetLayersPerBlock, "u_depth1": unetDepths[1], "u_depth2": unetDepths[2],
      "u_context": evaWidth, "u_added": evaWidth + 6 * unetTimeWidth, "u_in": 4, "u_out": 4,
      "v_layers": vaeLayersPerBlock, "v_latent": 4, "v_in": 3, "v_out": 3,
      "s_layers": staleLayersPerBlock, "s_latent": 16,
    ]
    for (index, channels) in unetChannels.enumerated() { symbols["u\(index)"] = channels }
    for (index, channels) in vaeChannels.enumerated() { symbols["v\(index)"] = channels }
    for (index, channels) in staleChannels.enumerated() { symbols["s\(index)"] = channels }
    return symbols
  }
}
