import Tensors

extension Checkpoint {
  /// Opens a safetensors file, a sharded folder, an index file, a diffusers folder, a release folder, or the id of a
  /// repository in the hub cache. Reads headers only.
  /// - Throws: ``CheckpointError``.
  public init(path: String) throws(CheckpointError) {
    if !Folder.somethingExists(path), HubCache.isRepositoryID(path) {
      let root = try HubCache.snapshot(of: path, in: HubCache.folder())
      try self.init(path: path, root: root)
    } else if Folder.exists(path) {
      try self.init(path: path, root: path)
    } else if path.hasSuffix(".index.json"), Folder.hasFile(path) {
      var reader = FolderReader(root: Folder.split(path).folder)
      try reader.readSharded(folder: "", index: Folder.split(path).name)
      self.init(path: path, root: reader.root, isFolder: true, files: reader.files, entries: reader.entries)
    } else {
      let (folder, name) = Folder.split(path)
      var reader = FolderReader(root: folder)
      try reader.readFile(relativePath: name, folder: "", shownAs: path)
      self.init(path: path, root: folder, isFolder: false, files: reader.files, entries: reader.entries)
    }
  }

  private init(path: String, root: String) throws(CheckpointError) {
    var reader = FolderReader(root: root)
    try reader.readTree(folder: "", depth: 0)
    guard !reader.files.isEmpty else { throw .noWeights(path: path) }
    self.init(path: path, root: root, isFolder: true, files: reader.files, entries: reader.entries)
  }
}

/// Finds the weights below a folder, set by set.
private struct FolderReader {
  let root: String
  var files: [Checkpoint.File] = []
  var entries: [Checkpoint.Entry] = []

  init(root: String) { self.root = root }

  /// The weights of a folder and of those below it. Hidden folders are passed over, as are links to folders above.
  mutating func readTree(folder: String, depth: Int, above: [FileIdentity] = []) throws(CheckpointError) {
    let here = Folder.join(root, folder)
    guard let identity = FileIdentity(path: here), !above.contains(identity) else { return }
    let names: [String]
    do { names = try Folder.names(in: here) } catch { throw .file(error) }
    try readSet(folder: folder, names: names)
    guard depth < 3 else { return }
    for name in names where !name.hasPrefix(".") && Folder.exists(Folder.join(here, name)) {
      try readTree(folder: Folder.join(folder, name), depth: depth + 1, above: above + [identity])
    }
  }

  /// The one set of weights that a folder holds, if any.
  private mutating func readSet(folder: String, names: [String]) throws(CheckpointError) {
    let path = Folder.join(root, folder)
    let indexes = names.filter { $0.hasSuffix(".safetensors.index.json") }
    if indexes.count > 1 { throw .severalIndexes(path: path, first: indexes[0], second: indexes[1]) }
    if let index = indexes.first { return try readSharded(folder: folder, index: index) }
    let weights = names.filter { $0.hasSuffix(".safetensors") }
    if let shard = weights.first(where: Self.isShardName) { throw .shardsWithoutIndex(path: path, shard: shard) }
    for name in Self.chosenVariant(weights) {
      try readFile(relativePath: Folder.join(folder, name), folder: folder, shownAs: Folder.join(path, name))
    }
    try checkUnique(folder: folder)
  }

  /// `NAME-00001-of-00004.safetensors`.
  private static func isShardName(_ name: String) -> Bool {
    let parts = name.dropLast(".safetensors".count).split(separator: "-")
    guard parts.count >= 4 else { return false }
    return parts[parts.count - 2] == "of" && parts.suffix(3).first!.allSatisfy(\.isNumber)
      && parts.last!.allSatisfy(\.isNumber)
  }

  /// Of a diffusers component's variants, the one to read: bf16, which the released pipeline asks for, then the plain
  /// file, then fp16. Other files are all kept.
  private static func chosenVariant(_ names: [String]) -> [String] {
    let stem = "diffusion_pytorch_model"
    let order = [".bf16.safetensors", ".safetensors", ".fp16.safetensors"].map { stem + $0 }
    let variants = order.filter(names.contains)
    guard variants.count > 1 else { return names }
    return names.filter { !variants.dropFirst().contains($0) }
  }

  mutating func readSharded(folder: String, index name: String) throws(CheckpointError) {
    let path = Folder.join(root, folder)
    let indexPath = Folder.join(path, name)
    let bytes: [UInt8]
    do { bytes = try ReadableFile(path: indexPath).contents() } catch { throw .file(error) }
    let index = try ShardIndex(bytes, path: indexPath)
    let missing = index.files.filter { !Folder.somethingExists(Folder.join(path, $0)) }
    if let first = missing.first {
      if Folder.somethingExists(Folder.join(path, first + ".incomplete")) {
        throw .shardUnfinished(path: path, shard: first)
      }
      throw .shardMissing(path: path, shard: first, missing: missing)
    }
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

  mutating func readFile(relativePath: String, folder: String, shownAs path: String) throws(CheckpointError) {
    let file: ReadableFile
    let kind: FileKind
    do {
      file = try ReadableFile(path: path)
      kind = try FileKind(of: file)
    } catch { throw .file(error) }
    let isNamedSafetensors = path.hasSuffix(".safetensors")
    switch kind {
    case .safetensors: break
    // A damaged header is told as such, with the rule that it breaks.
    case .unknown where isNamedSafetensors, .text where isNamedSafetensors, .pickle where isNamedSafetensors: break
    default: throw .notACheckpoint(path: path, looksLike: kind.words.looksLike, hint: kind.words.hint)
    }
    let header: SafetensorsHeader
    do { header = try SafetensorsHeader(file: file) } catch {
      if !isNamedSafetensors && kind != .safetensors {
        throw .notACheckpoint(path: path, looksLike: kind.words.looksLike, hint: nil)
      }
      throw .safetensors(path: path, error)
    }
    let fileIndex = files.count
    files.append(Checkpoint.File(relativePath: relativePath, file: file, metadata: header.metadata))
    entries += header.entries.map {
      Checkpoint.Entry(info: $0.info, folder: folder, fileIndex: fileIndex, offset: $0.offset)
    }
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
