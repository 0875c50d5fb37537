import Encodings
import Synchronization
import Tensors

/// Weights on disk, in whatever files they lie: an ordered list of named tensors with a way to their bytes.
public struct Checkpoint: Sendable {
  /// How a tensor's bytes are to be had.
  public enum Content: Sendable {
    /// Plain row-major bytes, one after another in the file.
    case plain
    /// They come out of a decoder.
    case decoded(any StoredTensor)
    /// The tensor can be listed, but its form is not read.
    case listedOnly(encoding: String, byteCount: Int)
  }

  public struct Entry: Sendable {
    public private(set) var info: TensorInfo
    /// Folder below the root that holds the file, `""` for the root itself.
    public let folder: String
    /// Index into ``Checkpoint/files``.
    public let fileIndex: Int
    /// Where the tensor's bytes, as they are stored, start in that file.
    public let offset: Int
    public let content: Content
    /// The name in the file, where ``info`` has another one.
    public let sourceName: TensorName
    /// What the tensor belongs to, where it is no weight: another program's encoding, an optimizer. Such a tensor is carried bit for
    /// bit, and neither cast nor quantized.
    public private(set) var part: String?
    /// Empty where it is one run of plain elements.
    private var runs: [StoredRun]

    /// - Parameter stored: the runs that it is stored in, where that is not one run of plain elements.
    init(
      info: TensorInfo, folder: String, fileIndex: Int, offset: Int, content: Content = .plain,
      stored: [StoredRun] = [],
      sourceName: TensorName? = nil
    ) {
      self.info = info
      self.folder = folder
      self.fileIndex = fileIndex
      self.offset = offset
      self.content = content
      self.sourceName = sourceName ?? info.name
      runs = stored
    }

    /// The same, stored in one run of another form than plain elements.
    func stored(as form: StoredRun.Form) -> Entry {
      var entry = self
      entry.runs = [
        StoredRun(name: sourceName, fileIndex: fileIndex, offset: offset, byteCount: storedByteCount, form: form)
      ]
      return entry
    }

    func asPart(of program: String) -> Entry {
      var part = self
      part.part = program
      return part
    }

    /// The same under another name.
    public func renamed(_ name: TensorName) -> Entry? {
      guard let info = TensorInfo(name: name, dtype: info.dtype, shape: info.shape) else { return nil }
      var renamed = self
      renamed.info = info
      return renamed
    }

    /// The runs of bytes that it is stored in. Those of a joined tensor come in the order of what was joined, partitions in the order
    /// of their elements, and the parts of another program's encoding in the order of the bytes of their names.
    public var stored: [StoredRun] {
      runs.isEmpty ? stored(as: .plain(info.dtype, shape: info.shape)).runs : runs
    }

    /// `plain`, or the form in which the tensor is stored.
    public var encoding: String {
      if let part { return "part: \(part)" }
      return switch content {
      case .plain: "plain"
      case .decoded(let decoder): decoder.encodingName
      case .listedOnly(let encoding, _): encoding
      }
    }

    /// Bytes that the tensor takes in its files.
    public var storedByteCount: Int {
      switch content {
      case .plain: info.byteCount
      case .decoded(let decoder): decoder.storedByteCount
      case .listedOnly(_, let byteCount): byteCount
      }
    }
  }

  public struct File: Sendable {
    /// Path below the root, with `/`.
    public let relativePath: String
    public let source: any ByteSource
    /// What the file is, in words: `safetensors`, `PyTorch zip`, `GGUF 3`.
    public let format: String
    /// What the file says about itself: `__metadata__` of safetensors, keys and values of GGUF.
    public let metadata: [Metadatum]
  }

  public struct Metadatum: Sendable {
    public let key: [UInt8]
    /// Plain text or a number as text; of an array, its type, length and first items.
    public let value: String

    public init(key: [UInt8], value: String) {
      self.key = key
      self.value = value
    }
  }

  /// The path as the user named it.
  public let path: String
  /// The folder that holds the files, after a look in the hub cache.
  public let root: String
  public let isFolder: Bool
  public let files: [File]
  /// Tensors, file by file, each file in the order of its data or of its list.
  public let entries: [Entry]
  /// What the user should know about how the files were taken.
  public let notes: [String]
  /// What lies beside the weights: no output takes its place.
  let claimed: ClaimedFiles
  let companions: CompanionLog

  /// The folders that hold weights, in order of their names, the root first.
  public var folders: [String] {
    var seen: Set<String> = []
    return entries.map(\.folder).filter { seen.insert($0).inserted }
  }

  /// What the files are, each kind once: `safetensors`, `GGUF 3`, ...
  public var formats: [String] {
    var seen: Set<String> = []
    return files.map(\.format).filter { seen.insert($0).inserted }
  }

  /// Reads plain bytes of a tensor.
  /// - Parameters:
  ///   - offset: from the tensor's first byte.
  ///   - buffer: filled whole; must lie within the tensor.
  /// - Precondition: the tensor is not of a form that can only be listed.
  public func read(_ entry: Entry, at offset: Int, into buffer: UnsafeMutableRawBufferPointer) throws {
    precondition(offset >= 0 && offset + buffer.count <= entry.info.byteCount, "range outside the tensor")
    switch entry.content {
    case .plain: try files[entry.fileIndex].source.read(at: entry.offset + offset, into: buffer)
    case .decoded(let decoder): try decoder.read(at: offset, into: buffer)
    case .listedOnly: preconditionFailure("a tensor that can only be listed is not read")
    }
  }

  /// The bytes of a config or tokenizer file below the root; nil where there is none.
  public func companion(_ relativePath: String) throws(FileError) -> [UInt8]? {
    guard isFolder else { return nil }
    let path = Folder.join(root, relativePath)
    guard Folder.somethingExists(path) else { return nil }
    let file = try ReadableFile(path: path)
    companions.add(file.snapshot)
    return try file.contents()
  }

  /// Checks, at the end of the work, that all files that were read are still what is there.
  /// - Throws: ``FileError/changed(path:what:)``.
  public func checkUnchanged() throws(FileError) {
    for file in files { try file.source.checkUnchanged() }
    for snapshot in companions.all { try snapshot.check() }
  }

  /// The same files with other entries: renamed, joined, decoded.
  public func with(entries: [Entry], notes: [String] = []) -> Checkpoint {
    Checkpoint(
      path: path, root: root, isFolder: isFolder, files: files, entries: entries, notes: self.notes + notes,
      claimed: claimed, companions: companions)
  }
}

/// The files beside the weights that were read, as they were then.
final class CompanionLog: Sendable {
  private let snapshots = Mutex<[FileSnapshot]>([])

  func add(_ snapshot: FileSnapshot) { snapshots.withLock { $0.append(snapshot) } }
  var all: [FileSnapshot] { snapshots.withLock { $0 } }
}
