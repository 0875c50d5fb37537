import CZlib
import Tensors

/// The directory of a zip archive, checked against the entries' own headers.
///
/// Source: PKWARE APPNOTE 6.3.10. Read are one disk, stored and deflated entries, zip64 and data descriptors.
public struct ZipArchive: Sendable {
  public struct Entry: Sendable {
    /// The name's bytes: UTF-8, plain names joined by `/`.
    public let name: [UInt8]
    public let isStored: Bool
    /// Where the entry's bytes start in the file.
    public let offset: Int
    /// Bytes in the file.
    public let packedByteCount: Int
    public let byteCount: Int
    /// CRC-32 of the unpacked bytes; 0 also where the writer has left it out.
    public let checksum: UInt32
  }

  public let file: any ByteSource
  /// Entries by their place in the file. Folders are left out.
  public let entries: [Entry]

  /// - Throws: ``ZipError``.
  public init(_ file: any ByteSource) throws(ZipError) {
    self.file = file
    let end = try DirectoryEnd(file)
    let bytes = try file.zipBytes(at: end.directoryOffset, count: end.directoryByteCount)
    var headers = try DirectoryEntry.all(bytes, end: end)
    headers.sort { $0.offset < $1.offset }
    var entries: [Entry] = []
    var previous: (name: Range<Int>, end: Int)?
    for header in headers {
      if let previous, header.offset < previous.end {
        throw .overlap(entry: Array(bytes[header.name]), other: Array(bytes[previous.name]))
      }
      let data = try header.dataRange(file, directory: bytes, limit: end.directoryOffset)
      previous = (header.name, data.upperBound)
      guard bytes[header.name].last != UInt8(ascii: "/") else { continue }
      entries.append(
        Entry(
          name: Array(bytes[header.name]), isStored: header.method == 0, offset: data.lowerBound,
          packedByteCount: data.count, byteCount: header.byteCount, checksum: header.checksum))
    }
    self.entries = entries
  }

  /// The entry of a name, or nil.
  public func entry(named name: some Sequence<UInt8>) -> Entry? {
    let name = Array(name)
    return entries.first { $0.name == name }
  }

  /// Checks what is claimed before anything is unpacked: deflate cannot gain more than 1032 times.
  private func checkExpansion(_ entry: Entry) throws(ZipError) {
    guard entry.isStored || entry.byteCount / 1032 <= entry.packedByteCount else {
      throw .expansion(entry: entry.name, packed: entry.packedByteCount, unpacked: entry.byteCount)
    }
  }

  /// The unpacked bytes of an entry that may be held in memory, against its checksum.
  public func contents(_ entry: Entry, limit: Int) throws(ZipError) -> [UInt8] {
    guard entry.byteCount <= limit else {
      throw .file(.tooLarge(path: file.path, byteCount: entry.byteCount, limit: limit))
    }
    try checkExpansion(entry)
    let bytes = entry.isStored ? try file.zipBytes(at: entry.offset, count: entry.byteCount) : try inflated(entry)
    guard entry.checksum != 0 else { return bytes }
    let found = UInt32(truncatingIfNeeded: crc32_z(0, bytes, bytes.count))
    guard found == entry.checksum else {
      throw .checksum(entry: entry.name, expected: entry.checksum, found: found)
    }
    return bytes
  }

  private func inflated(_ entry: Entry) throws(ZipError) -> [UInt8] {
    do throws(FileError) {
      // One byte more than stated, so that the stream's own end is reached and checked.
      let buffer = try AlignedBuffer(byteCount: entry.byteCount + 1)
      let decoder = try InflateDecoder(file, entry)
      var done = 0
      while done <= entry.byteCount {
        let count = try decoder.decode(into: UnsafeMutableRawBufferPointer(rebasing: buffer.bytes[done...]))
        if count == 0 { break }
        done += count
      }
      guard done == entry.byteCount else {
        throw FileError.damaged(
          path: file.path, problem: "zip entry '\(printable(entry.name))' unpacks to another size than stated")
      }
      return [UInt8](buffer.bytes[..<done])
    } catch { throw .file(error) }
  }

  /// The unpacked bytes of a deflated entry as a source of its own.
  public func unpacked(_ entry: Entry) throws(ZipError) -> SpooledFile {
    try checkExpansion(entry)
    do {
      return try SpooledFile(
        path: file.path, identity: file.identity, byteCount: entry.byteCount,
        decoder: try InflateDecoder(file, entry))
    } catch { throw .file(error) }
  }
}
