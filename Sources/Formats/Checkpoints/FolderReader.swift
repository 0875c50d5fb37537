import Tensors

/// Finds the weights below a folder, set by set.
struct FolderReader {
  let root: String
  private(set) var files: [Checkpoint.File] = []
  private(set) var entries: [Checkpoint.Entry] = []
  private(set) var notes: [String] = []
  /// What lies in the folders and belongs to a model, read or not.
  private(set) var claimedPaths: [String] = []

  init(root: String) { self.root = root }

  /// The weights of a folder and of those below it. Hidden folders are passed over, as are links to folders above.
  /// - Parameter hasSafetensors: whether a folder above holds safetensors: what other programs made of them is passed over.
  mutating func readTree(
    folder: String, depth: Int, above: [FileIdentity] = [], hasSafetensors: Bool = false
  ) throws(CheckpointError) {
    let here = Folder.join(root, folder)
    let above = depth == 0 ? Self.foldersAbove(here) : above
    guard let identity = FileIdentity(path: here), !above.contains(identity) else { return }
    let names: [String]
    do { names = try Folder.names(in: here) } catch { throw .file(error) }
    claim(folder: folder, names: names)
    let before = files.count
    let isSafetensors = try readSet(folder: folder, names: names, onlySafetensors: hasSafetensors)
    try decodeQuantized(folder: folder)
    guard depth < 3 else { return }
    let steps = DeepSpeedFolder.steps(among: names)
    let folders = names.filter { !$0.hasPrefix(".") && Folder.exists(Folder.join(here, $0)) }
    let checkpoints = folders.filter(Self.isTrainingCheckpoint)
    if files.count == before, depth == 0, checkpoints.count > 1 {
      throw .severalCheckpoints(path: here, names: checkpoints)
    }
    for name in folders {
      // A training run's own state repeats the weights beside it; of several steps, the one called latest counts.
      if steps.contains(name) {
        if files.count > before { continue }
        guard name == (try DeepSpeedFolder.latest(in: here, steps: steps)) else { continue }
      }
      if checkpoints.contains(name), !files.isEmpty {
        notes.append(
          "passed over '\(Folder.join(folder, name))': a checkpoint of the run that made the weights above it"
        )
        continue
      }
      try readTree(
        folder: Folder.join(folder, name), depth: depth + 1, above: above + [identity],
        hasSafetensors: hasSafetensors || isSafetensors)
    }
  }

  /// A folder's parents up to the root.
  private static func foldersAbove(_ folder: String) -> [FileIdentity] {
    var (found, path) = ([FileIdentity](), Folder.join(folder, ".."))
    while let identity = FileIdentity(path: path), found.last != identity, found.count < 1024 {
      found.append(identity)
      path = Folder.join(path, "..")
    }
    return found
  }

  /// `checkpoint-500`, as trainers call them.
  private static func isTrainingCheckpoint(_ name: String) -> Bool {
    ["checkpoint-", "checkpoint_", "ckpt-"].contains { stem in
      name.hasPrefix(stem) && name.utf8.count > stem.utf8.count
        && name.utf8.dropFirst(stem.utf8.count).allSatisfy { (0x30...0x39).contains($0) }
    }
  }

  /// Remembers what belongs to a model, so that no output takes its place.
  mutating func claim(folder: String, names: [String]) {
    let endings = [
      ".json", ".jsonl", ".txt", ".model", ".jinja", ".py", ".md", ".safetensors", ".bin", ".pt", ".pth", ".ckpt",
      ".gguf",
      ".npz", ".npy", ".zst", ".msgpack", ".h5", ".onnx", ".distcp",
    ]
    for name in names where endings.contains(where: name.hasSuffix) {
      claimedPaths.append(Folder.join(Folder.join(root, folder), name))
    }
  }

  /// Why there are no weights, as far as it can be seen.
  func nothingFound(path: String) -> CheckpointError {
    func names(_ folder: String) -> [String] { (try? Folder.names(in: folder)) ?? [] }
    let here = names(root)
    if here.contains(".metadata"), here.contains(where: { $0.hasSuffix(".distcp") }) { return .distributed(path: path) }
    // Where the hub's client keeps what it has not yet whole: beside it, in a folder of its own, or in the cache's blobs.
    let places = ["", ".cache/huggingface/download", "../../blobs"].map { Folder.join(root, $0) }
    for place in places {
      if let file = names(place).first(where: { $0.hasSuffix(".incomplete") }) {
        return .downloadUnfinished(path: path, file: file)
      }
    }
    // A link of the cache that leads nowhere yet.
    if let link = here.first(where: { name in
      WeightSet.isWeightName(name) && !Folder.somethingExists(Folder.join(root, name))
    }) {
      return .downloadUnfinished(path: path, file: link)
    }
    return .noWeights(path: path)
  }

  /// Prefixes that wrappers put before all names of a folder.
  private static let wrapperPrefixes = ["_orig_mod.", "module."]

  /// Takes away prefixes that all names of a folder have, with a note.
  mutating func stripPrefixes() throws(CheckpointError) {
    for folder in Set(entries.map(\.folder)).sorted() {
      let members = entries.indices.filter { entries[$0].folder == folder }
      var stripped: [String] = []
      for _ in 0..<4 {
        guard
          let prefix = Self.wrapperPrefixes.first(where: { prefix in
            members.allSatisfy { number in
              let name = entries[number].info.name.utf8
              return name.count > prefix.utf8.count && name.starts(with: prefix.utf8)
            }
          })
        else { break }
        for number in members {
          let name = TensorName(utf8: Array(entries[number].info.name.utf8.dropFirst(prefix.utf8.count)))
          if let renamed = entries[number].renamed(name) { entries[number] = renamed }
        }
        stripped.append(prefix)
      }
      guard !stripped.isEmpty else { continue }
      notes.append(
        "all names\(folder.isEmpty ? "" : " in '\(folder)'") begin with '\(stripped.joined())': left out")
    }
  }

  /// The one set of weights that a folder holds, if any. True where it is of safetensors.
  private mutating func readSet(
    folder: String, names: [String], onlySafetensors: Bool
  ) throws(CheckpointError) -> Bool {
    let path = Folder.join(root, folder)
    // An index above may have named files that lie here.
    let read = Set(files.map(\.relativePath))
    let set = try WeightSet(names: names.filter { !read.contains(Folder.join(folder, $0)) }, path: path)
    if onlySafetensors, !set.isSafetensors, !set.hasReleaseNames {
      if !set.isEmpty {
        notes.append("passed over '\(folder)': weights in another form than those above it")
      }
      return false
    }
    if let note = set.note { notes.append(note) }
    switch set.members {
    case .index(let index): try readSharded(folder: folder, index: index)
    case .deepSpeed(let state): try readDeepSpeed(state, folder: folder)
    case .files(let chosen):
      for name in chosen {
        if let part = GGUFSplit(name: name) {
          if part.number == 1 { try readSplit(part, folder: folder) }
        } else {
          try readFile(relativePath: Folder.join(folder, name), folder: folder, shownAs: Folder.join(path, name))
        }
      }
      try checkUnique(folder: folder)
    }
    return set.isSafetensors
  }

  mutating func readSharded(folder: String, index name: String) throws(CheckpointError) {
    let path = Folder.join(root, folder)
    let indexPath = Folder.join(path, name)
    let bytes: [UInt8]
    do { bytes = try ReadableFile(path: indexPath).contents() } catch { throw .file(error) }
    let index = try ShardIndex(bytes, path: indexPath)
    let others = Self.others(in: path, than: index)
    try checkPresent(index, name, folder: folder, others: others)
    let firstFile = files.count
    let firstEntry = entries.count
    for file in index.files {
      try readFile(relativePath: Folder.join(folder, file), folder: folder, shownAs: Folder.join(path, file))
    }
    try checkUnique(folder: folder)
    var shardOf: [TensorName: String] = [:]
    for entry in entries[firstEntry...] { shardOf[entry.info.name] = index.files[entry.fileIndex - firstFile] }
    for (tensor, file) in index.weightMap {
      guard shardOf.removeValue(forKey: tensor) == file else {
        throw .tensorNotInShard(path: path, shard: file, tensor: tensor)
      }
    }
    if let stray = shardOf.min(by: { $0.key < $1.key }) {
      throw .tensorNotInIndex(path: path, shard: stray.value, tensor: stray.key)
    }
    if let first = others.first {
      let more = others.count > 1 ? " and \(others.count - 1) more" : ""
      notes.append(
        "passed over '\(first)'\(more): '\(name)' does not name \(others.count > 1 ? "them" : "it")"
      )
    }
  }

  /// Weights of the index's own form that it does not name.
  private static func others(in path: String, than index: ShardIndex) -> [String] {
    let named = Set(index.files)
    let names = (try? Folder.names(in: path)) ?? []
    return names.filter { name in
      !name.hasPrefix(".") && !named.contains(name) && WeightSet.isWeightName(name) && !WeightSet.isTrainingState(name)
        && index.files.contains { Folder.ending(of: $0) == Folder.ending(of: name) }
    }
  }

  /// - Parameter others: weights that the index does not name.
  private func checkPresent(
    _ index: ShardIndex, _ name: String, folder: String, others: [String]
  ) throws(CheckpointError) {
    let path = Folder.join(root, folder)
    let missing = index.files.filter { !Folder.somethingExists(Folder.join(path, $0)) }
    // A download that is unfinished is told as such; where there is nothing of it, but other weights, the index is an old one.
    let isUnfinished = missing.contains { Folder.somethingExists(Folder.join(path, $0 + ".incomplete")) }
    if missing.count == index.files.count, !others.isEmpty, !isUnfinished {
      throw .staleIndex(path: path, index: name, missing: missing.count, present: others)
    }
    try checkPresent(index.files, folder: folder)
  }

  /// All parts of a GGUF model that was split.
  mutating func readSplit(_ part: GGUFSplit, folder: String) throws(CheckpointError) {
    let path = Folder.join(root, folder)
    try checkPresent(part.names, folder: folder)
    let first = entries.count
    for name in part.names {
      try readFile(relativePath: Folder.join(folder, name), folder: folder, shownAs: Folder.join(path, name))
    }
    try part.check(files: files.suffix(part.count), tensorCount: entries.count - first, path: path)
    try checkUnique(folder: folder)
  }

  private func checkPresent(_ names: [String], folder: String) throws(CheckpointError) {
    let path = Folder.join(root, folder)
    let missing = names.filter { !Folder.somethingExists(Folder.join(path, $0)) }
    guard let first = missing.first else { return }
    if Folder.somethingExists(Folder.join(path, first + ".incomplete")) {
      throw .shardUnfinished(path: path, shard: first)
    }
    throw .shardMissing(path: path, shard: first, missing: missing)
  }

  private mutating func readDeepSpeed(_ state: DeepSpeedFolder, folder: String) throws(CheckpointError) {
    let read = try state.read(path: Folder.join(root, folder), folder: folder, firstFile: files.count)
    files += read.files
    entries += read.entries
    notes += read.notes
    try checkUnique(folder: folder)
  }

  mutating func readFile(relativePath: String, folder: String, shownAs path: String) throws(CheckpointError) {
    let read = try WeightFile(path: path, relativePath: relativePath, folder: folder, fileIndex: files.count)
    files.append(read.file)
    entries += read.entries
    notes += read.notes
  }

  /// Replaces the parts of tensors that other programs have quantized by what they stand for.
  mutating func decodeQuantized(folder: String) throws(CheckpointError) {
    let members = entries.indices.filter { entries[$0].folder == folder }
    guard let first = members.first, let last = members.last else { return }
    // A folder's entries lie side by side.
    let path = Folder.join(root, folder)
    let decoded = try QuantizedTensors(Array(entries[first...last]), files: files, configFolder: path)
    entries.replaceSubrange(first...last, with: decoded.entries)
    notes += decoded.notes
    try checkUnique(folder: folder)
  }

  /// No tensor may lie in two files of one folder.
  private func checkUnique(folder: String) throws(CheckpointError) {
    var seen: [TensorName: Int] = [:]
    for entry in entries where entry.folder == folder {
      if let first = seen.updateValue(entry.fileIndex, forKey: entry.info.name) {
        throw .tensorInTwoShards(
          path: Folder.join(root, folder), tensor: entry.info.name, first: files[first].relativePath,
          second: files[entry.fileIndex].relativePath)
      }
    }
  }
}
