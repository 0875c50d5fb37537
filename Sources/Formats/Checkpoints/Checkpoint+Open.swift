import Tensors

extension Checkpoint {
  /// Opens weights in any layout that is read: a file, a folder, an index, or the id of a repository in the hub cache.
  /// Reads headers only. See formats/sources.md.
  /// - Throws: ``CheckpointError``.
  public init(path: String) throws(CheckpointError) {
    if !Folder.somethingExists(path), HubCache.isRepositoryID(path) {
      let root = try HubCache.snapshot(of: path, in: HubCache.folder())
      try self.init(path: path, root: root)
    } else if Folder.exists(path) {
      try self.init(path: path, root: path)
    } else if WeightSet.isIndexName(path), Folder.hasFile(path) {
      var reader = FolderReader(root: Folder.split(path).folder)
      if let names = try? Folder.names(in: reader.root) { reader.claim(folder: "", names: names) }
      try reader.readSharded(folder: "", index: Folder.split(path).name)
      try reader.decodeQuantized(folder: "")
      try self.init(path: path, isFolder: true, reader)
    } else {
      let (folder, name) = Folder.split(path)
      var reader = FolderReader(root: folder)
      if let part = GGUFSplit(name: name) {
        try reader.readSplit(part, folder: "")
      } else {
        try reader.readFile(relativePath: name, folder: "", shownAs: path)
      }
      try reader.decodeQuantized(folder: "")
      try self.init(path: path, isFolder: false, reader)
    }
  }

  private init(path: String, root: String) throws(CheckpointError) {
    var reader = FolderReader(root: root)
    try reader.readTree(folder: "", depth: 0)
    guard !reader.files.isEmpty else { throw reader.nothingFound(path: path) }
    try self.init(path: path, isFolder: true, reader)
  }

  private init(path: String, isFolder: Bool, _ reader: FolderReader) throws(CheckpointError) {
    var reader = reader
    try reader.stripPrefixes()
    // Views and small types may claim much from little: sums over all tensors are not to overflow anywhere.
    var claimed = 0
    for entry in reader.entries {
      let larger = max(entry.info.byteCount, entry.info.elementCount, entry.storedByteCount)
      guard larger <= Limits.claimedByteCount - claimed else { throw .claimsTooMuch(path: path) }
      claimed += larger
    }
    self.init(
      path: path, root: reader.root, isFolder: isFolder, files: reader.files, entries: reader.entries,
      notes: reader.notes, claimed: ClaimedFiles(paths: reader.claimedPaths), companions: CompanionLog())
  }
}
