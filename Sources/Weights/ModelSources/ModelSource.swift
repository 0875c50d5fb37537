import BantamArchive
import Checkpoints
import JSONText
import Kernels
import Tensors

/// Any readable source as one thing: an ordered list of named tensors, each with a way to its plain bytes.
///
/// A release folder, a hub-cache snapshot or repository id, an index, a diffusers folder, a `.bantam` file, and what
/// formats/sources.md lists besides: PyTorch and GGUF files, the state of a DeepSpeed run, NumPy arrays.
public final class ModelSource: Sendable {
  public struct Tensor: Sendable {
    /// Name, dtype and shape of its plain bytes.
    public let info: TensorInfo
    /// The name in the file, which a name map may have replaced in ``info``.
    public let sourceName: TensorName
    /// Folder below the root; `""` for the root, and for a `.bantam` file.
    public let folder: String
    /// The file that holds it, as a path below the root.
    public let file: String
    /// Where its bytes start in that file.
    public let offset: Int
    /// `plain`, or the form in which it is stored.
    public let encoding: String
    /// Bytes as stored; 0 for one that repeats another.
    public let storedByteCount: Int
    /// Whether it is no weight but a part of another program's encoding, or an optimizer's state: carried bit for bit, never cast or
    /// quantized.
    public let isPart: Bool
  }

  /// The role of such parts in a `.bantam` file.
  package static let partRole = "part"

  enum Storage: Sendable {
    case checkpoint(Checkpoint)
    case archive(Archive)
  }

  /// The path as the user named it.
  public let path: String
  public let tensors: [Tensor]
  let storage: Storage
  /// The map that has given the tensors a family's names; nil where they have their own.
  let nameMap: NameMap?

  private init(path: String, tensors: [Tensor], storage: Storage, nameMap: NameMap? = nil) {
    self.path = path
    self.tensors = tensors
    self.storage = storage
    self.nameMap = nameMap
  }

  /// Opens a source. Reads headers only.
  /// - Throws: ``CheckpointError`` or ``ArchiveError``.
  public convenience init(path: String) throws {
    if Folder.hasFile(path), try FileKind(of: ReadableFile(path: path)) == .bantam || path.hasSuffix(".bantam") {
      self.init(try Archive(path: path))
    } else {
      let checkpoint = try Checkpoint(path: path)
      let map = try NameMap.builtIn().first { $0.matches(checkpoint) }
      self.init(map?.applied(to: checkpoint) ?? checkpoint, nameMap: map)
    }
  }

  /// An open archive as a source.
  public convenience init(_ archive: Archive) {
    self.init(
      path: archive.path,
      tensors: archive.index.tensors.map {
        Tensor(
          info: $0.info, sourceName: $0.info.name, folder: "", file: "", offset: $0.planes.first?.offset ?? 0,
          encoding: archive.index.encodings[$0.encoding].name,
          storedByteCount: $0.planes.reduce(0) { $0 + $1.byteCount }, isPart: $0.role == Self.partRole)
      }, storage: .archive(archive))
  }

  /// An open checkpoint as a source.
  public convenience init(_ checkpoint: Checkpoint) { self.init(checkpoint, nameMap: nil) }

  private convenience init(_ checkpoint: Checkpoint, nameMap: NameMap?) {
    self.init(
      path: checkpoint.path,
      tensors: checkpoint.entries.map {
        Tensor(
          info: $0.info, sourceName: $0.sourceName, folder: $0.folder,
          file: checkpoint.files[$0.fileIndex].relativePath, offset: $0.offset, encoding: $0.encoding,
          storedByteCount: $0.storedByteCount, isPart: $0.part != nil)
      }, storage: .checkpoint(checkpoint), nameMap: nameMap)
  }

  /// The `.bantam` file, where the source is one.
  public var archive: Archive? { if case .archive(let archive) = storage { archive } else { nil } }
  /// The checkpoint, where the source is one.
  public var checkpoint: Checkpoint? { if case .checkpoint(let checkpoint) = storage { checkpoint } else { nil } }

  /// The first tensor of a folder that belongs to another program's encoding, with that program.
  func firstPart(folder: String) -> (name: TensorName, program: String)? {
    checkpoint?.entries.first { $0.folder == folder && $0.part != nil }.map { ($0.info.name, $0.part ?? "") }
  }

  /// What the user should know about how the files were taken.
  public var notes: [String] { checkpoint?.notes ?? [] }

  /// Files that hold tensors, with sizes.
  public var files: [ArchiveIndex.SourceFile] {
    switch storage {
    case .checkpoint(let checkpoint):
      checkpoint.files.map { .init(path: $0.relativePath, byteCount: $0.source.byteCount) }
    case .archive(let archive): archive.index.sourceFiles
    }
  }

  /// Of each file that holds tensors, its name, its size and when it was written.
  package var stamps: [String] {
    switch storage {
    case .checkpoint(let checkpoint):
      checkpoint.files.map { "\($0.relativePath) \(Folder.stamp(of: $0.source.path) ?? "")" }
    case .archive(let archive): [Folder.stamp(of: archive.path) ?? ""]
    }
  }

  /// - Throws: ``ArchiveError/unknownEncoding(path:tensor:encoding:)`` or ``CheckpointError/notRead(path:tensor:encoding:)``
  ///   for a tensor that can be listed but not read.
  package func checkReadable(_ number: Int) throws {
    if case .checkpoint(let checkpoint) = storage,
      case .listedOnly(let encoding, _) = checkpoint.entries[number].content
    {
      throw CheckpointError.notRead(path: path, tensor: tensors[number].info.name, encoding: encoding)
    }
    _ = try archive?.readable(number)
  }

  /// Whether a tensor's values can be read, and not only its name and shape.
  public func isReadable(_ number: Int) -> Bool { (try? checkReadable(number)) != nil }

  /// Reads plain row-major bytes of a tensor, in its own dtype; a quantized tensor is decoded to f32.
  /// - Parameters:
  ///   - offset: from the tensor's first byte; a multiple of the element's size.
  ///   - buffer: filled whole; must lie within the tensor.
  public func read(_ number: Int, at offset: Int, into buffer: UnsafeMutableRawBufferPointer) throws {
    switch storage {
    case .checkpoint(let checkpoint):
      try checkReadable(number)
      try checkpoint.read(checkpoint.entries[number], at: offset, into: buffer)
    case .archive(let archive): try archive.readable(number).read(at: offset, into: buffer)
    }
  }

  /// Tells the system that a range of a tensor will be read soon.
  package func willNeed(_ number: Int, offset: Int, count: Int) {
    guard case .checkpoint(let checkpoint) = storage else { return }
    let entry = checkpoint.entries[number]
    let length = min(count, entry.info.byteCount - offset)
    guard case .plain = entry.content, length > 0 else { return }
    checkpoint.files[entry.fileIndex].source.willNeed(offset: entry.offset + offset, count: length)
  }

  /// Tells the system that a range of a tensor will not be read again.
  package func doneWith(_ number: Int, offset: Int, count: Int) {
    guard case .checkpoint(let checkpoint) = storage else { return }
    let entry = checkpoint.entries[number]
    guard case .plain = entry.content else { return }
    checkpoint.files[entry.fileIndex].source.doneWith(offset: entry.offset + offset, count: count)
  }

  /// Checks, at the end of the work, that what was read is still what is there.
  /// - Throws: ``FileError``.
  public func checkUnchanged() throws(FileError) {
    switch storage {
    case .checkpoint(let checkpoint): try checkpoint.checkUnchanged()
    case .archive(let archive): try archive.checkUnchanged()
    }
  }

  /// Whether a tensor's values have been through an encoding that loses some: ours or another program's.
  public func isQuantized(_ number: Int) -> Bool {
    switch storage {
    case .checkpoint(let checkpoint):
      guard case .decoded(let decoder) = checkpoint.entries[number].content else { return false }
      return decoder.isLossy
    case .archive(let archive): return archive.encoding(of: number) != .plain
    }
  }

  /// The encoding that a tensor's values were first rounded to, with its loss where that is recorded; nil where they are exact.
  package func firstEncoding(_ number: Int) -> String? {
    guard let archive else { return isQuantized(number) ? tensors[number].encoding : nil }
    guard let quality = archive.index.tensors[archive.index.tensors[number].aliasOf ?? number].quality else {
      return isQuantized(number) ? tensors[number].encoding : nil
    }
    if let first = DecodedFrom.encoding(in: quality.method) { return first }
    let decibels = (quality.sqnrDecibels * 100).rounded() / 100
    return "\(tensors[number].encoding) at \(decibels) dB"
  }

  /// The bytes of a config or tokenizer file, by path below the root; nil where there is none.
  public func companion(_ relativePath: String) throws -> [UInt8]? {
    switch storage {
    case .checkpoint(let checkpoint): return try checkpoint.companion(relativePath)
    case .archive(let archive):
      guard let blob = archive.index.blobs.first(where: { $0.name == relativePath }) else { return nil }
      return try archive.contents(of: blob)
    }
  }

  /// Holds a block of ``ValueStatistics`` of 64-bit elements, and a whole number of blocks of narrower ones.
  private static let blockByteCount = 32 << 10

  /// Streams a tensor's plain bytes in pieces that fit a buffer of at least 32 KiB.
  /// - Parameter body: gets each piece, in order; pieces are whole blocks of ``ValueStatistics``, save the last.
  public func stream(
    _ number: Int, through buffer: AlignedBuffer, cancellation: Cancellation = .init(),
    _ body: (UnsafeRawBufferPointer) throws -> Void
  ) throws {
    if let archive {
      return try archive.readable(number).stream(
        pieceByteCount: buffer.bytes.count / Self.blockByteCount * Self.blockByteCount, cancellation: cancellation, body
      )
    }
    let byteCount = tensors[number].info.byteCount
    let piece = buffer.bytes.count / Self.blockByteCount * Self.blockByteCount
    let ahead = 16 << 20
    var offset = 0
    while offset < byteCount {
      try cancellation.check()
      if offset % ahead == 0 {
        willNeed(number, offset: offset, count: 2 * ahead)
        if offset > 0 { doneWith(number, offset: offset - ahead, count: ahead) }
      }
      let part = UnsafeMutableRawBufferPointer(rebasing: buffer.bytes[..<min(piece, byteCount - offset)])
      try read(number, at: offset, into: part)
      try body(UnsafeRawBufferPointer(part))
      offset += part.count
    }
  }
}
