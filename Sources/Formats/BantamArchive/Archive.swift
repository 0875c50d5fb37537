import JSONText
import Kernels
import Synchronization
import Tensors

/// A `.bantam` file that is open for reading. Opening reads the superblocks and the two tables, no payload.
///
/// Every chunk of payload is checked against its checksum when it is first touched.
public final class Archive: Sendable {
  public let path: String
  public let file: ReadableFile
  public let superblock: Superblock
  public let index: ArchiveIndex
  /// Facts about the whole file: writer, family, options.
  public let metadata: JSONValue
  private let indexByName: [TensorName: Int]
  /// File offsets of the chunks whose checksum was found right.
  private let checkedChunks = Mutex<Set<Int>>([])

  /// - Throws: ``ArchiveError`` when the file is missing, cut, damaged, hostile, or of an unknown version.
  public init(path: String) throws(ArchiveError) {
    self.path = path
    do { file = try ReadableFile(path: path) } catch { throw .file(error) }
    let superblock = try Self.currentSuperblock(of: file)
    self.superblock = superblock
    let indexBytes = try Self.table(superblock.index, in: file)
    guard SHA256.of(indexBytes) == superblock.index.digest else {
      let damaged = SectionTable.damagedSection(in: indexBytes, path: path)
      throw .tableDamaged(path: path, table: damaged ?? "index")
    }
    index = try ArchiveIndex(indexBytes, minor: superblock.minor, path: path)
    try index.checkRanges(path: path, payloadEnd: superblock.index.offset, geometry: superblock.geometry)
    let metadataBytes = try Self.table(superblock.metadata, in: file)
    guard SHA256.of(metadataBytes) == superblock.metadata.digest else {
      throw .tableDamaged(path: path, table: "metadata table")
    }
    metadata = try MetadataTable(metadataBytes, limit: superblock.metadata.offset, path: path).json
    indexByName = Dictionary(
      index.tensors.enumerated().map { ($1.info.name, $0) }, uniquingKeysWith: { first, _ in first })
  }

  /// The two superblock pages as they stand.
  static func superblockPages(of file: ReadableFile) throws(ArchiveError) -> [[UInt8]] {
    let path = file.path
    guard file.byteCount >= 2 * Superblock.byteCount else {
      let head: [UInt8]
      do { head = try file.bytes(at: 0, count: min(8, file.byteCount)) } catch { throw .file(error) }
      guard head == Superblock.magic else { throw .notAnArchive(path: path, looksLike: "\(file.byteCount) bytes") }
      throw .tooShort(path: path, byteCount: file.byteCount)
    }
    do {
      let both = try file.bytes(at: 0, count: 2 * Superblock.byteCount)
      return [Array(both.prefix(Superblock.byteCount)), Array(both.suffix(Superblock.byteCount))]
    } catch { throw .file(error) }
  }

  static func currentSuperblock(of file: ReadableFile) throws(ArchiveError) -> Superblock {
    let path = file.path
    let pages = try superblockPages(of: file)
    let sound = pages.filter(Superblock.isSound)
    if sound.isEmpty {
      // The magic shows what a transfer in text mode does: CRLF becomes LF or the high bit is lost.
      let head = Array(pages[0].prefix(8))
      if head.dropFirst().starts(with: [0x42, 0x54, 0x4D]) && head != Superblock.magic {
        throw .textModeDamage(path: path)
      }
      guard pages.contains(where: { $0.starts(with: Superblock.magic) }) else {
        throw .notAnArchive(path: path, looksLike: "other bytes")
      }
      throw .superblocksDamaged(path: path)
    }
    // Only the newer one's rules count. Equal generations: the first.
    var newest = sound[0]
    for page in sound.dropFirst() where Superblock.generation(of: page) > Superblock.generation(of: newest) {
      newest = page
    }
    let best = try Superblock(newest, path: path)
    guard file.byteCount >= best.fileByteCount else {
      throw .truncated(path: path, missingByteCount: best.fileByteCount - file.byteCount)
    }
    return best
  }

  static func table(_ table: Superblock.Table, in file: ReadableFile) throws(ArchiveError) -> [UInt8] {
    do { return try file.bytes(at: table.offset, count: table.byteCount) } catch { throw .file(error) }
  }

  // MARK: Asking

  /// The number of a tensor, or nil.
  public func tensorNumber(_ name: TensorName) -> Int? { indexByName[name] }

  /// The tensor that owns the planes: itself, or the target of an alias.
  public func owner(of number: Int) -> ArchiveIndex.Tensor {
    index.tensors[index.tensors[number].aliasOf ?? number]
  }

  public func encoding(of number: Int) -> ArchiveIndex.Encoding { index.encodings[owner(of: number).encoding] }

  /// Whether a tensor is stored with the very values of its source.
  public func isExact(_ number: Int) -> Bool {
    encoding(of: number) == .plain && owner(of: number).quality == nil
      && index.tensors[number].source.map { $0.dtype == index.tensors[number].info.dtype } ?? true
  }

  /// Checks, at the end of the work, that the file has not become shorter. Notes may be added to it meanwhile.
  /// - Throws: ``FileError/shrank(path:offset:expectedByteCount:)``.
  public func checkUnchanged() throws(FileError) { try file.checkHolds(superblock.fileByteCount) }

  // MARK: Reading payload

  /// Reads bytes of a plane as they are stored, each chunk checked when it is first touched.
  /// - Parameters:
  ///   - offset: from the plane's first byte.
  ///   - buffer: filled whole; must lie within the plane.
  /// - Throws: ``ArchiveError/chunkDamaged(path:name:offset:)`` or a file error.
  public func read(
    _ plane: ArchiveIndex.Plane, of name: TensorName, at offset: Int, into buffer: UnsafeMutableRawBufferPointer
  ) throws(ArchiveError) {
    try readChecked(
      start: plane.offset, byteCount: plane.byteCount, sums: plane.sums, name: name.text, at: offset, into: buffer)
  }

  /// The bytes of a carried file.
  public func contents(of blob: ArchiveIndex.Blob) throws(ArchiveError) -> [UInt8] {
    let buffer: AlignedBuffer
    do { buffer = try AlignedBuffer(byteCount: blob.byteCount) } catch { throw .file(error) }
    try readChecked(
      start: blob.offset, byteCount: blob.byteCount, sums: blob.sums, name: blob.name, at: 0, into: buffer.bytes)
    return [UInt8](UnsafeRawBufferPointer(buffer.bytes))
  }

  private func readChecked(
    start: Int, byteCount: Int, sums: [UInt32], name: String, at offset: Int,
    into buffer: UnsafeMutableRawBufferPointer
  ) throws(ArchiveError) {
    precondition(offset >= 0 && offset + buffer.count <= byteCount, "range outside the plane")
    let grain = superblock.geometry.chunkByteCount
    var done = 0
    while done < buffer.count {
      let chunk = (offset + done) / grain
      let chunkStart = chunk * grain
      let chunkLength = min(grain, byteCount - chunkStart)
      let skip = offset + done - chunkStart
      let length = min(chunkLength - skip, buffer.count - done)
      let target = UnsafeMutableRawBufferPointer(rebasing: buffer[done..<done + length])
      let key = start + chunkStart
      if checkedChunks.withLock({ $0.contains(key) }) {
        do { try file.read(at: key + skip, into: target) } catch { throw .file(error) }
      } else if length == chunkLength {
        do { try file.read(at: key, into: target) } catch { throw .file(error) }
        try check(UnsafeRawBufferPointer(target), sums[chunk], key: key, name: name)
      } else {
        let whole: AlignedBuffer
        do {
          whole = try AlignedBuffer(byteCount: chunkLength)
          try file.read(at: key, into: whole.bytes)
        } catch { throw .file(error) }
        try check(UnsafeRawBufferPointer(whole.bytes), sums[chunk], key: key, name: name)
        target.copyMemory(from: UnsafeRawBufferPointer(rebasing: whole.bytes[skip..<skip + length]))
      }
      done += length
    }
  }

  /// Checks a chunk unless that was done before.
  func checkOnce(_ bytes: UnsafeRawBufferPointer, _ sum: UInt32, key: Int, name: String) throws(ArchiveError) {
    if checkedChunks.withLock({ $0.contains(key) }) { return }
    try check(bytes, sum, key: key, name: name)
  }

  private func check(_ bytes: UnsafeRawBufferPointer, _ sum: UInt32, key: Int, name: String) throws(ArchiveError) {
    guard CRC32C.of(bytes) == sum else { throw .chunkDamaged(path: path, name: name, offset: key) }
    checkedChunks.withLock { _ = $0.insert(key) }
  }
}
