import Checkpoints
import JSONText
import ModelSources
import Synchronization
import Tensors

/// Writes a synthetic release folder: the released layout, made-up weights.
public struct SampleWriter: Sendable {
  public let scale: SampleScale
  private let files: [WeightFile]
  private let tokenizer: SampleTokenizer
  private let weights: SampleWeights
  private let withDecoder: Bool

  private struct WeightFile: Sendable {
    let path: String
    let tensors: [ExpectedTensor]
    var byteCount: Int { tensors.reduce(0) { $0 + 2 * $1.shape!.reduce(1, *) } }
  }

  /// - Parameters:
  ///   - components: names in the family map; nil for all, as in the release.
  /// - Throws: ``FamilyError``.
  public init(scale: SampleScale, seed: UInt64, components: [String]? = nil) throws {
    self.scale = scale
    weights = SampleWeights(seed: seed)
    tokenizer = SampleTokenizer(mergeCount: scale.mergeCount, firstSpecialID: scale.firstSpecialID)
    let map = try FamilyMap.builtIn().first { $0.name == "blip3o" }!
    for name in components ?? [] where !map.components.contains(where: { $0.name == name }) {
      throw FamilyError.noSuchComponent(path: "components", name: name, has: map.components.map(\.name))
    }
    let symbols = scale.symbols(vocabularySize: tokenizer.size)
    var main: [ExpectedTensor] = []
    var heads: [ExpectedTensor] = []
    var decoder: [WeightFile] = []
    // The release's order of modules: the EVA tower lies before the DiT, the head is last.
    for name in ["vision", "queries", "llm", "gen_vision", "dit", "stale_vae", "unet", "vae"] {
      guard components?.contains(name) ?? true, let component = map.components.first(where: { $0.name == name }) else {
        continue
      }
      let tensors = try map.tensors(of: component, symbols: symbols).filter { !$0.isOptional }
      if component.folder.isEmpty {
        main += tensors.filter { $0.role != "head" }
        heads += tensors.filter { $0.role == "head" }
      } else {
        decoder.append(
          WeightFile(path: component.folder + "/diffusion_pytorch_model.bf16.safetensors", tensors: tensors))
      }
    }
    files = Self.shards(main + heads, limit: scale.shardByteCount) + decoder
    withDecoder = !decoder.isEmpty
  }

  /// Bytes of all tensors.
  public var byteCount: Int { files.reduce(0) { $0 + $1.byteCount } }

  /// Greedy: a shard is closed when the next tensor would make it larger than the limit.
  private static func shards(_ tensors: [ExpectedTensor], limit: Int) -> [WeightFile] {
    var groups: [[ExpectedTensor]] = []
    var size = 0
    for tensor in tensors {
      let byteCount = 2 * tensor.shape!.reduce(1, *)
      if groups.isEmpty || size + byteCount > limit {
        groups.append([])
        size = 0
      }
      groups[groups.count - 1].append(tensor)
      size += byteCount
    }
    func number(_ value: Int) -> String { String(repeating: "0", count: 5 - String(value).count) + String(value) }
    return groups.enumerated().map { index, tensors in
      let name =
        groups.count == 1
        ? "model.safetensors" : "model-\(number(index + 1))-of-\(number(groups.count)).safetensors"
      return WeightFile(path: name, tensors: tensors)
    }
  }

  /// Writes the folder. An earlier sample is replaced.
  /// - Throws: ``FileError``.
  public func write(to path: String, resources: Resources) throws {
    let folder = try AtomicOutputFolder(path: path)
    do {
      try folder.reserve(byteCount: byteCount)
      for file in tokenizer.files { try folder.write(file.bytes, to: file.path) }
      let configs = SampleConfigs(scale: scale, tokens: tokenizer.tokens, vocabularySize: tokenizer.size)
      for (path, json) in configs.files where withDecoder || !path.hasPrefix("diffusion-decoder") {
        try folder.write(Array((json.text(indent: 2) + "\n").utf8), to: path)
      }
      for file in files { try write(file, to: try folder.place(for: file.path), resources) }
      let shards = files.filter { !$0.path.contains("/") }
      if shards.count > 1 { try folder.write(Self.index(shards), to: "model.safetensors.index.json") }
      try folder.commit()
    } catch {
      folder.discard()
      throw error
    }
  }

  private static func index(_ shards: [WeightFile]) -> [UInt8] {
    let pairs = shards.flatMap { shard in shard.tensors.map { ($0.sourceName, shard.path) } }
    let json: JSONValue = .members([
      "metadata": .members(["total_size": .int(shards.reduce(0) { $0 + $1.byteCount })]),
      "weight_map": .object(
        pairs.sorted { $0.0.utf8.lexicographicallyPrecedes($1.0.utf8) }.map {
          .init($0.0, .string($0.1))
        }),
    ])
    return Array((json.text(indent: 2) + "\n").utf8)
  }

  private func write(_ file: WeightFile, to path: String, _ resources: Resources) throws {
    let tensors = file.tensors.sorted { $0.sourceName.utf8.lexicographicallyPrecedes($1.sourceName.utf8) }
    let infos = tensors.map { TensorInfo(name: TensorName($0.sourceName), dtype: .bf16, shape: $0.shape!)! }
    let layout = SafetensorsLayout(infos)
    let output = try AtomicOutputFile(path: path)
    do {
      try output.reserve(byteCount: layout.fileByteCount)
      try output.write(layout.header, at: 0)
      try Workers.run(threadCount: resources.threadCount, itemCount: tensors.count) { _, item in
        var offset = layout.offsets[item]
        try weights.stream(tensors[item]) { bytes in
          try resources.cancellation.check()
          try output.write(bytes, at: offset)
          offset += bytes.count
          resources.progress(bytes.count)
        }
        output.startWriting(offset: layout.offsets[item], count: infos[item].byteCount)
      }
      try output.commit(byteCount: layout.fileByteCount)
    } catch {
      output.discard()
      throw error
    }
  }
}
