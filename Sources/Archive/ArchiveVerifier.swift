import Kernels
import Synchronization
import Tensors

/// Looks at every byte of a `.bantam` file.
public enum ArchiveVerifier {
  /// Something that is not as it was written.
  public struct Finding: Sendable, Equatable {
    /// A tensor, carried file or table.
    public let name: String
    /// File offset.
    public let offset: Int
    public let byteCount: Int
    public let problem: String

    public init(name: String, offset: Int, byteCount: Int, problem: String) {
      self.name = name
      self.offset = offset
      self.byteCount = byteCount
      self.problem = problem
    }
  }

  private struct Chunk {
    let name: String
    let offset: Int
    let byteCount: Int
    let sum: UInt32
  }

  /// Checks all checksums, both superblocks, the earlier metadata tables and the padding.
  /// - Parameter progress: called with the number of bytes looked at since the last call, from any thread.
  /// - Returns: what was found, by offset; empty for a sound file.
  /// - Throws: ``FileError`` when reading fails or the user stops it.
  public static func verify(
    _ archive: Archive, threadCount: Int, cancellation: Cancellation = .init(),
    progress: @escaping @Sendable (Int) -> Void = { _ in }
  ) throws -> [Finding] {
    var findings = try superblockFindings(archive)
    let (tableFindings, tables) = metadataFindings(archive)
    findings += tableFindings
    findings += try payloadFindings(archive, threadCount, cancellation, progress)
    findings += try paddingFindings(archive, tables: tables)
    if archive.file.byteCount > archive.superblock.fileByteCount {
      findings.append(
        Finding(
          name: "end of file", offset: archive.superblock.fileByteCount,
          byteCount: archive.file.byteCount - archive.superblock.fileByteCount,
          problem: "bytes after the committed end, left by an unfinished edit or added by another program"))
    }
    return findings.sorted { ($0.offset, $0.name) < ($1.offset, $1.name) }
  }

  private static func superblockFindings(_ archive: Archive) throws -> [Finding] {
    let pages = try Archive.superblockPages(of: archive.file)
    var findings: [Finding] = []
    for (number, page) in pages.enumerated() where !Superblock.isSound(page) {
      findings.append(
        Finding(
          name: "superblock \(number == 0 ? "A" : "B")", offset: number * Superblock.byteCount,
          byteCount: Superblock.byteCount, problem: "is damaged; the other one is used"))
    }
    return findings
  }

  /// Follows the chain of earlier metadata tables.
  private static func metadataFindings(_ archive: Archive) -> ([Finding], [Superblock.Table]) {
    var tables = [archive.superblock.metadata]
    while let last = tables.last {
      guard let bytes = try? archive.file.bytes(at: last.offset, count: last.byteCount),
        SHA256.of(bytes) == last.digest,
        let table = try? MetadataTable(bytes, limit: last.offset, path: archive.path)
      else {
        return (
          [
            Finding(
              name: "earlier metadata table", offset: last.offset, byteCount: last.byteCount, problem: "is damaged")
          ], tables
        )
      }
      guard let previous = table.previous else { break }
      tables.append(previous)
    }
    return ([], tables)
  }

  private static func payloadFindings(
    _ archive: Archive, _ threadCount: Int, _ cancellation: Cancellation, _ progress: @escaping @Sendable (Int) -> Void
  ) throws -> [Finding] {
    let grain = archive.superblock.geometry.chunkByteCount
    var chunks: [Chunk] = []
    func add(_ name: String, _ offset: Int, _ byteCount: Int, _ sums: [UInt32]) {
      for (number, sum) in sums.enumerated() {
        let start = number * grain
        chunks.append(
          Chunk(name: name, offset: offset + start, byteCount: min(grain, byteCount - start), sum: sum))
      }
    }
    for tensor in archive.index.tensors {
      for plane in tensor.planes { add(tensor.info.name.text, plane.offset, plane.byteCount, plane.sums) }
    }
    for blob in archive.index.blobs { add("file \(blob.name)", blob.offset, blob.byteCount, blob.sums) }
    chunks.sort { $0.offset < $1.offset }
    let allChunks = chunks
    let buffers = try (0..<max(1, threadCount)).map { _ in try AlignedBuffer(byteCount: grain) }
    let found = Mutex<[Finding]>([])
    try Workers.run(threadCount: threadCount, itemCount: allChunks.count) { worker, item in
      try cancellation.check()
      let chunk = allChunks[item]
      let buffer = UnsafeMutableRawBufferPointer(rebasing: buffers[worker].bytes[..<chunk.byteCount])
      try archive.file.read(at: chunk.offset, into: buffer)
      if CRC32C.of(UnsafeRawBufferPointer(buffer)) != chunk.sum {
        found.withLock {
          $0.append(
            Finding(
              name: chunk.name, offset: chunk.offset, byteCount: chunk.byteCount, problem: "checksum does not hold"))
        }
      }
      progress(chunk.byteCount)
    }
    return found.withLock { $0 }
  }

  /// Bytes between the things of the file must be zero.
  private static func paddingFindings(_ archive: Archive, tables: [Superblock.Table]) throws -> [Finding] {
    var extents = archive.index.extents()
    extents.append(Extent(offset: 0, byteCount: 2 * Superblock.byteCount, owner: "superblocks"))
    for table in tables + [archive.superblock.index] {
      extents.append(Extent(offset: table.offset, byteCount: table.byteCount, owner: "table"))
    }
    extents.append(Extent(offset: archive.superblock.fileByteCount, byteCount: 0, owner: "end of file"))
    extents.sort { ($0.offset, $0.byteCount) < ($1.offset, $1.byteCount) }
    var findings: [Finding] = []
    var position = 0
    var before = ""
    for extent in extents {
      // Long gaps are read in pieces: a hostile file may claim any.
      while position < extent.offset {
        let length = min(extent.offset - position, 1 << 20)
        if try archive.file.bytes(at: position, count: length).contains(where: { $0 != 0 }) {
          findings.append(
            Finding(
              name: "padding between '\(printable(before))' and '\(printable(extent.owner))'", offset: position,
              byteCount: length, problem: "is not zero"))
        }
        position += length
      }
      if extent.end >= position {
        position = extent.end
        before = extent.owner
      }
    }
    return findings
  }
}
