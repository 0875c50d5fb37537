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
    // Names that begin with a dot are other programs' own: AppleDouble's copies, what is being fetched.
    let names = names.filter { !$0.hasPrefix(".") && !Self.isTrainingState($0) }
    let torch = names.filter { name in Self.torchEndings.contains { name.hasSuffix($0) } }
    let gguf = names.filter { $0.hasSuffix(".gguf") }
    if let index = try Self.index(".safetensors.index", names, path) {
      let others = index.passedOver + torch + gguf
      (members, note, isSafetensors) = (.index(index.name), Self.note(passedOver: others), true)
      return
    }
    let safetensors = names.filter { $0.hasSuffix(".safetensors") || $0.hasSuffix(".safetensors.zst") }
    if !safetensors.isEmpty {
      if let shard = safetensors.first(where: Self.isShardName) { throw .shardsWithoutIndex(path: path, shard: shard) }
      let (chosen, passedOver) = Self.chosenVariants(safetensors)
      (members, note) = (.files(chosen), Self.note(passedOver: passedOver + torch + gguf))
      isSafetensors = true
      return
    }
    if let state = try DeepSpeedFolder(names: names, path: path) {
      (members, note) = (.deepSpeed(state), nil)
      return
    }
    for ending in Self.torchEndings {
      guard let index = try Self.index("\(ending).index", names, path) else { continue }
      (members, note) = (.index(index.name), Self.note(passedOver: index.passedOver + gguf))
      return
    }
    if !torch.isEmpty {
      if let shard = torch.first(where: Self.isShardName) { throw .shardsWithoutIndex(path: path, shard: shard) }
      let (chosen, passedOver) = Self.chosenVariants(torch)
      (members, note) = (.files(chosen), Self.note(passedOver: passedOver + gguf))
      return
    }
    (members, note) = (.files(gguf), nil)
  }

  /// Whether a file of this name may be one of weights.
  static func isWeightName(_ name: String) -> Bool {
    ([".safetensors", ".safetensors.zst", ".gguf"] + torchEndings).contains { name.hasSuffix($0) }
  }

  /// `NAME.safetensors.index.json`, with a variant before or behind `index` as diffusers write it.
  static func isIndexName(_ path: String) -> Bool {
    let name = Folder.split(path).name
    return name.hasSuffix(".json") && name.contains(".index.")
  }

  static let torchEndings = [".bin", ".pt", ".pth", ".ckpt"]

  private static func note(passedOver names: [String]) -> String? {
    guard let first = names.first else { return nil }
    let others = names.count > 1 ? " and \(names.count - 1) more" : ""
    return "passed over '\(first)'\(others): the folder holds weights in another form as well"
  }

  /// The index of a form: `NAME.safetensors.index.json` or, of a variant, `NAME.safetensors.index.VARIANT.json`.
  private static func index(
    _ stem: String, _ names: [String], _ path: String
  ) throws(CheckpointError) -> (name: String, passedOver: [String])? {
    // The end of a name behind the stem gives the variant: `.json`, `.bf16.json`.
    func variant(_ name: String) -> String? {
      guard let range = name.firstRange(of: stem + "."), name.hasSuffix(".json") else { return nil }
      let middle = name[range.upperBound...].dropLast(4)
      return middle.isEmpty ? "" : middle.hasSuffix(".") ? String(middle.dropLast()) : nil
    }
    let found = names.compactMap { name in variant(name).map { (name: name, variant: $0) } }
    guard found.count > 1 else { return found.first.map { ($0.name, []) } }
    // Of one set's variants one is chosen; two sets are two models.
    let stems = Set(found.map { $0.name.prefix(while: { $0 != "." }) })
    guard stems.count == 1, let best = found.min(by: { rank($0.variant) < rank($1.variant) }),
      found.filter({ rank($0.variant) == rank(best.variant) }).count == 1
    else { throw .severalIndexes(path: path, first: found[0].name, second: found[1].name) }
    return (best.name, found.map(\.name).filter { $0 != best.name })
  }

  /// Of variants, the one to read comes first: bf16, which the released pipeline asks for, then the plain one, then fp16; averages of
  /// a training run and others last.
  private static func rank(_ variant: some StringProtocol) -> Int {
    ["bf16", "", "fp16", "fp32", "ema", "non_ema"].firstIndex { $0 == variant } ?? 100
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
  static func isTrainingState(_ name: String) -> Bool {
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

  /// The stems under which a component keeps one set of weights, perhaps in several variants: `STEM.VARIANT.safetensors`.
  private static let variantStems = ["diffusion_pytorch_model", "pytorch_model", "model"]

  /// Of files that are variants of one set, the one to read. Other files are all kept.
  private static func chosenVariants(_ names: [String]) -> (chosen: [String], passedOver: [String]) {
    func variant(_ name: String, _ stem: String) -> Substring? {
      guard name.hasPrefix(stem + "."), let dot = name.lastIndex(of: ".") else { return nil }
      return name[..<dot].dropFirst(stem.count + 1)
    }
    var passedOver: Set<String> = []
    for stem in variantStems {
      for ending in Set(names.map { Folder.ending(of: $0) }) where ending != "zst" {
        let variants = names.filter { Folder.ending(of: $0) == ending }
          .compactMap { name in variant(name, stem).map { (name: name, rank: rank($0)) } }.filter { $0.rank < 100 }
        guard let best = variants.min(by: { $0.rank < $1.rank }) else { continue }
        for other in variants where other.name != best.name { passedOver.insert(other.name) }
      }
    }
    return (names.filter { !passedOver.contains($0) }, names.filter(passedOver.contains))
  }
}
