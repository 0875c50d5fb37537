import Tensors

/// Finds the weights below a folder, set by set.
struct FolderReader {
  let root: String
  private(set) var files: [Checkpoint.File] = []
  private(set) var entries: [Checkpoint.Entry] = []
  private(set) var notes: [String] = []

  init(root: String) { self.root = root }

  /// The weights of a folder and of those below it. Hidden folders are passed over, as are links to folders above.
  /// - Parameter hasSafetensors: whether a folder above holds safetensors: what other programs made of them is passed over.
  mutating func readTree(
    folder: String, depth: Int, above: [FileIdentity] = [], hasSafetensors: Bool = false
  ) throws(CheckpointError) {
    let here = Folder.join(root, folder)
    guard let identity = FileIdentity(path: here), !above.contains(identity) else { return }
    let names: [String]
    do { names = try Folder.names(in: here) } catch { throw .file(error) }
    let before = files.count
    let isSafetensors = try readSet(folder: folder, names: names, onlySafetensors: hasSafetensors)
    try decodeQuantized(folder: folder)
    guard depth < 3 else { return }
    let steps = DeepSpeedFolder.steps(among: names)
    for name in names where !name.hasPrefix(".") && Folder.exists(Folder.join(here, name)) {
      // A training run's own state repeats the weights beside it; of several steps, the one called latest counts.
      if steps.contains(name) {
        if files.count > before { continue }
        guard name == (try DeepSpeedFolder.latest(in: here, steps: steps)) else { continue }
      }
      try readTree(
        folder: Folder.join(folder, name), depth: depth + 1, above: above + [identity],
        hasSafetensors: hasSafetensors || isSafetensors)
    }
  }

  /// The one set of weights that a folder holds, if any. True where it is of safetensors.
  private mutating func readSet(
    folder: String, names: [String], onlySafetensors: Bool
  ) throws(CheckpointError) -> Bool {
    let path = Folder.join(root, folder)
    let set = try WeightSet(names: names, path: path)
    if onlySafetensors, !set.isSafetensors, !set.hasReleaseNames {
      if !set.isEmpty {
        notes.append("passed over '\(printable(folder))': weights in another form than those above it")
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
    try checkPresent(index.files, folder: folder)
    let firstEntry = entries.count
    for file in index.files {
      try readFile(relativePath: Folder.join(folder, file), folder: folder, shownAs: Folder.join(path, file))
    }
    try checkUnique(folder: folder)
    var shardOf: [TensorName: String] = [:]
    for entry in entries[firstEntry...] {
      shardOf[entry.info.name] = Folder.split(files[entry.fileIndex].relativePath).name
    }
    for (tensor, file) in index.weightMap {
      guard shardOf.removeValue(forKey: tensor) == file else {
        throw .tensorNotInShard(path: path, shard: file, tensor: tensor)
      }
    }
    if let stray = shardOf.min(by: { $0.key < $1.key }) {
      throw .tensorNotInIndex(path: path, shard: stray.value, tensor: stray.key)
    }
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
