import Kernels
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

  /// Checks all that the file states of its bytes: checksums, both superblocks, the earlier metadata tables, the padding, the digests
  /// of carried files, and of tensors that are stored exactly the digest and statistics of their source.
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
    findings += try PayloadVerifier(archive).findings(
      threadCount: threadCount, cancellation: cancellation, progress: progress)
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
              name: "padding between '\(before)' and '\(extent.owner)'", offset: position,
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
