import Tensors

/// Weights on disk, in whatever files they lie: an ordered list of named tensors with a way to their bytes.
public struct Checkpoint: Sendable {
  public struct Entry: Sendable {
    public let info: TensorInfo
    /// Folder below the root that holds the file, `""` for the root itself.
    public let folder: String
    /// Index into ``Checkpoint/files``.
    public let fileIndex: Int
    /// Where the plain row-major bytes start in that file.
    public let offset: Int
  }

  public struct File: Sendable {
    /// Path below the root, with `/`.
    public let relativePath: String
    public let file: ReadableFile
    /// `__metadata__` of a safetensors file.
    public let metadata: [(key: [UInt8], value: [UInt8])]
  }

  /// The path as the user named it.
  public let path: String
  /// The folder that holds the files, after a look in the hub cache.
  public let root: String
  public let isFolder: Bool
  public let files: [File]
  /// Tensors, file by file, each file in the order of its data.
  public let entries: [Entry]

  /// The folders that hold weights, in order of their names, the root first.
  public var folders: [String] {
    var seen: Set<String> = []
    return entries.map(\.folder).filter { seen.insert($0).inserted }
  }

  /// Reads plain bytes of a tensor.
  /// - Parameters:
  ///   - offset: from the tensor's first byte.
  ///   - buffer: filled whole; must lie within the tensor.
  public func read(
    _ entry: Entry, at offset: Int, into buffer: UnsafeMutableRawBufferPointer
  ) throws(FileError) {
    precondition(offset >= 0 && offset + buffer.count <= entry.info.byteCount, "range outside the tensor")
    try files[entry.fileIndex].file.read(at: entry.offset + offset, into: buffer)
  }

  /// The bytes of a config or tokenizer file below the root; nil where there is none.
  public func companion(_ relativePath: String) throws(FileError) -> [UInt8]? {
    guard isFolder else { return nil }
    let path = Folder.join(root, relativePath)
    guard Folder.somethingExists(path) else { return nil }
    return try ReadableFile(path: path).contents()
  }
}
