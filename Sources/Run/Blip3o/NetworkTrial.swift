import NetworkRuntime
import Networks
import Observation
import Tensors

/// One call of one of a model's networks on made-up inputs: for measurements. What a run works out once for all steps stands before it.
public struct NetworkTrial {
  public enum Kind: String, CaseIterable, Sendable {
    /// The language model on a prompt of `size` tokens.
    case llm
    /// One token behind `size` others, logits too.
    case decode
    /// The seeing tower on `size` x `size` patches.
    case vision
    /// One step of the features with guidance.
    case dit
    /// One step of the latents with guidance, `size` x `size`.
    case unet
    /// A picture from latents of `size` x `size`.
    case vae

    /// Whether one row is multiplied with all weights: memory sets the pace.
    public var isOneRow: Bool { self == .decode }

    /// Why a size cannot be; nil for one that can.
    public func problem(size: Int) -> String? {
      switch self {
      case .unet where size % 8 != 0: "latents are halved up to three times, so their side is a multiple of 8"
      case .vision where size % 2 != 0: "patches are merged two by two"
      default: nil
      }
    }

    /// What is measured where nobody says.
    public var usualSize: Int {
      switch self {
      case .llm: 110
      case .decode: 512
      case .vision: 32
      case .dit: 1
      case .unet, .vae: 128
      }
    }
  }

  /// What a comparison of speeds usually has: kinds, with sizes.
  public static let usualList = "llm:8,llm:32,llm:128,llm:512,decode:512,vision:32,dit,unet:32"

  public let kind: Kind
  public let size: Int
  /// Plans or works out what stands before all calls, and gives what plans or makes a call.
  public let begin: NetworkTiming.Trial

  /// - Throws: what the network's part of the model lacks.
  public init(_ model: Model, _ kind: Kind, size: Int? = nil) throws {
    self.kind = kind
    self.size = size ?? kind.usualSize
    begin = try Self.network(model, kind, self.size)
  }

  private static func fill(_ run: Execution, _ x: Activation) {
    run.fill(x) { values in
      for index in values.indices { values[index] = Float((index * 2_654_435_761) % 2048) / 1024 - 1 }
    }
  }

  private static func network(_ model: Model, _ kind: Kind, _ size: Int) throws -> NetworkTiming.Trial {
    func filled(_ run: Execution, _ x: Activation) -> Activation {
      fill(run, x)
      return x
    }
    switch kind {
    case .llm:
      let language = try model.languageModel()
      return { run in
        let x = run.take(width: size, channels: model.language.hiddenSize)
        return {
          fill(run, x)
          try language.forward(run, x, positions: (0..<size).map { ($0, $0, $0) })
        }
      }
    case .decode:
      // One token behind those that the cache holds.
      let language = try model.languageModel()
      let cache = try KeyValueCache(model.language, capacity: size + 1)
      cache.advance(by: size)
      return { run in
        let x = run.take(width: 1, channels: model.language.hiddenSize)
        let logits = run.take(width: 1, channels: model.language.vocabularySize)
        return {
          fill(run, x)
          try language.forward(run, x, positions: [(size, size, size)], cache: cache)
          try language.logits(run, x, into: logits)
        }
      }
    case .vision:
      let tower = try model.visionTower()
      return { run in
        let pixels = filled(run, run.take(width: size * size, channels: tower.config.patchWidth))
        let out = run.take(width: size * size / 4, channels: tower.config.outputSize)
        return { try tower.forward(run, pixels, rows: size, columns: size, into: out) }
      }
    case .dit:
      let dit = try model.dit()
      return { run in
        let condition = filled(
          run, run.take(batch: 2, width: model.language.queryCount, channels: model.language.hiddenSize))
        let context = try dit.context(run, condition)
        run.give(condition)
        let tokens = dit.config.gridSide * dit.config.gridSide
        let x = filled(run, run.take(batch: 2, width: tokens, channels: dit.config.channels))
        let velocity = run.take(like: x)
        return { try dit.forward(run, x, timestep: 966, context, into: velocity) }
      }
    case .unet:
      let unet = try model.unet()
      return { run in
        let features = filled(run, run.take(batch: 2, width: 64, channels: unet.config.contextWidth))
        let pooled = filled(run, run.take(batch: 2, width: 1, channels: unet.config.contextWidth))
        let context = try unet.context(run, features, pooled: pooled, timeIDs: [1024, 1024, 0, 0, 1024, 1024])
        run.give(features)
        let x = filled(run, run.take(batch: 2, height: size, width: size, channels: unet.config.inputChannels))
        let noise = run.take(like: x)
        return { try unet.forward(run, x, timestep: 981, context, into: noise) }
      }
    case .vae:
      let vae = try model.vaeDecoder()
      return { run in
        let z = filled(run, run.take(height: size, width: size, channels: vae.config.latentChannels))
        let image = run.take(height: size * vae.config.scale, width: size * vae.config.scale, channels: 3)
        return { try vae.forward(run, z, into: image) }
      }
    }
  }
}
