import Tensors

/// Which files of a folder are its weights. A folder may hold one model in several forms: safetensors come first, since
/// they are what releases are made of, then PyTorch files, then GGUF.
struct WeightSet {
  enum Members {
    case index(String)
    case files([String])
    case deepSpeed(DeepSpeedFolder)
  }

  let members: Members
  var isSafetensors = false
  /// What was passed over, in words.
  let note: String?

  init(names: [String], path: String) throws(CheckpointError) {
    let torch = names.filter { name in Self.torchEndings.contains { name.hasSuffix($0) } && !Self.isTrainingState(name)
    }
    let gguf = names.filter { $0.hasSuffix(".gguf") }
    if let index = try Self.index(".safetensors.index.json", names, path) {
      (members, note, isSafetensors) = (.index(index), Self.note(passedOver: torch + gguf), true)
      return
    }
    let safetensors = names.filter { $0.hasSuffix(".safetensors") || $0.hasSuffix(".safetensors.zst") }
    if !safetensors.isEmpty {
      if let shard = safetensors.first(where: Self.isShardName) { throw .shardsWithoutIndex(path: path, shard: shard) }
      (members, note) = (
        .files(Self.chosenVariant(safetensors, ending: "safetensors")), Self.note(passedOver: torch + gguf)
      )
      isSafetensors = true
      return
    }
    if let state = try DeepSpeedFolder(names: names, path: path) {
      (members, note) = (.deepSpeed(state), nil)
      return
    }
    for ending in Self.torchEndings {
      guard let index = try Self.index("\(ending).index.json", names, path) else { continue }
      (members, note) = (.index(index), Self.note(passedOver: gguf))
      return
    }
    if !torch.isEmpty {
      if let shard = torch.first(where: Self.isShardName) { throw .shardsWithoutIndex(path: path, shard: shard) }
      (members, note) = (.files(Self.chosenVariant(torch, ending: "bin")), Self.note(passedOver: gguf))
      return
    }
    (members, note) = (.files(gguf), nil)
  }

  static let torchEndings = [".bin", ".pt", ".pth", ".ckpt"]

  private static func note(passedOver names: [String]) -> String? {
    guard let first = names.first else { return nil }
    let others = names.count > 1 ? " and \(names.count - 1) more" : ""
    return "passed over '\(printable(first))'\(others): the folder holds weights in another form as well"
  }

  private static func index(
    _ ending: String, _ names: [String], _ path: String
  ) throws(CheckpointError) -> String? {
    let indexes = names.filter { $0.hasSuffix(ending) }
    if indexes.count > 1 { throw .severalIndexes(path: path, first: indexes[0], second: indexes[1]) }
    return indexes.first
  }

  /// Whether the files have the names of a release's component, and not of another program's copy.
  var hasReleaseNames: Bool {
    switch members {
    case .index(let name): Self.isReleaseName(name)
    case .files(let names): !names.isEmpty && names.allSatisfy(Self.isReleaseName)
    case .deepSpeed: false
    }
  }

  private static func isReleaseName(_ name: String) -> Bool {
    name.hasPrefix("pytorch_model") || name.hasPrefix("diffusion_pytorch_model")
  }

  var isEmpty: Bool { if case .files(let names) = members { names.isEmpty } else { false } }

  /// Files that trainers leave beside the weights: no weights, or none that a model is made of.
  private static func isTrainingState(_ name: String) -> Bool {
    let stems = [
      "training_args", "trainer_state", "optimizer", "scheduler", "rng_state", "random_states", "scaler", "sampler",
    ]
    return stems.contains { stem in
      name.hasPrefix(stem) && !(name.dropFirst(stem.count).first?.isLetter ?? false)
    }
  }

  /// `NAME-00001-of-00004.safetensors`.
  private static func isShardName(_ name: String) -> Bool {
    let parts = (name.lastIndex(of: ".").map { name[..<$0] } ?? name[...]).split(separator: "-")
    return parts.count >= 4 && parts[parts.count - 2] == "of" && parts[parts.count - 3].allSatisfy(\.isNumber)
      && parts[parts.count - 1].allSatisfy(\.isNumber)
  }

  /// Of a diffusers component's variants, the one to read: bf16, which the released pipeline asks for, then the plain
  /// file, then fp16. Other files are all kept.
  private static func chosenVariant(_ names: [String], ending: String) -> [String] {
    let stem = "diffusion_pytorch_model"
    let order = [".bf16.\(ending)", ".\(ending)", ".fp16.\(ending)"].map { stem + $0 }
    let variants = order.filter(names.contains)
    guard variants.count > 1 else { return names }
    return names.filter { !variants.dropFirst().contains($0) }
  }
}
