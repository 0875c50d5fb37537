import CZlib
import Tensors

/// The directory of a zip archive, checked against the entries' own headers.
///
/// Source: PKWARE APPNOTE 6.3.10. Read are one disk, stored and deflated entries, zip64 and data descriptors.
public struct ZipArchive: Sendable {
  public struct Entry: Sendable {
    // A million of them are to fit little memory: names stay in the directory.
    let nameStart: UInt32
    let nameCount: UInt16
    let method: UInt16
    let flags: UInt16
    /// CRC-32 of the unpacked bytes; 0 also where the writer has left it out.
    public let checksum: UInt32
    /// Bytes in the file.
    public let packedByteCount: Int
    public let byteCount: Int
    let headerOffset: Int
    /// Where the entry's bytes start in the file.
    public internal(set) var offset: Int

    public var isStored: Bool { method == 0 }
  }

  public let file: any ByteSource
  /// Entries by their place in the file. Folders are left out.
  public let entries: [Entry]
  private let directory: [UInt8]

  /// - Throws: ``ZipError``.
  public init(_ file: any ByteSource) throws(ZipError) {
    self.file = file
    let end = try DirectoryEnd(file)
    directory = try file.zipBytes(at: end.directoryOffset, count: end.directoryByteCount)
    var entries = try Entry.all(directory, end: end)
    entries.sort { $0.headerOffset < $1.headerOffset }
    for place in entries.indices {
      try entries[place].locate(file, directory: directory, limit: end.directoryOffset)
      guard place > 0 else { continue }
      let previous = entries[place - 1]
      guard entries[place].headerOffset >= previous.offset + previous.packedByteCount else {
        throw .overlap(entry: Array(directory[entries[place].name]), other: Array(directory[previous.name]))
      }
    }
    let directory = directory
    entries.removeAll { directory[$0.name].last == UInt8(ascii: "/") }
    self.entries = entries
  }

  /// The name's bytes: UTF-8, plain names joined by `/`.
  public func name(of entry: Entry) -> [UInt8] { Array(directory[entry.name]) }

  /// The entry of a name, or nil.
  public func entry(named name: some Sequence<UInt8>) -> Entry? {
    let name = Array(name)
    return entries.first { directory[$0.name].elementsEqual(name) }
  }

  /// Checks what is claimed before anything is unpacked: deflate cannot gain more than 1032 times.
  private func checkExpansion(_ entry: Entry) throws(ZipError) {
    guard entry.isStored || entry.byteCount / 1032 <= entry.packedByteCount else {
      throw .expansion(entry: name(of: entry), packed: entry.packedByteCount, unpacked: entry.byteCount)
    }
  }

  /// Checks stored bytes, where they are, against the entry's checksum.
  public func check(_ entry: Entry, _ bytes: UnsafeRawBufferPointer) throws(ZipError) {
    guard entry.checksum != 0 else { return }
    let found = UInt32(
      truncatingIfNeeded: crc32_z(0, bytes.assumingMemoryBound(to: UInt8.self).baseAddress, bytes.count))
    guard found == entry.checksum else {
      throw .checksum(entry: name(of: entry), expected: entry.checksum, found: found)
    }
  }

  /// The unpacked bytes of an entry that may be held in memory, against its checksum.
  public func contents(_ entry: Entry, limit: Int) throws(ZipError) -> [UInt8] {
    guard entry.byteCount <= limit else {
      throw .file(.tooLarge(path: file.path, byteCount: entry.byteCount, limit: limit))
    }
    if entry.isStored {
      let bytes = try file.zipBytes(at: entry.offset, count: entry.byteCount)
      var failure: ZipError?
      bytes.withUnsafeBytes { buffer in
        do throws(ZipError) { try check(entry, buffer) } catch { failure = error }
      }
      if let failure { throw failure }
      return bytes
    }
    // One byte more than stated, so that the stream's own end is reached and its checksum checked.
    let bytes = try beginning(of: entry, count: entry.byteCount + 1)
    guard bytes.count == entry.byteCount else {
      throw .file(
        .damaged(
          path: file.path, problem: "zip entry '\(String(utf8: name(of: entry)))' unpacks to another size than stated"))
    }
    return bytes
  }

  /// The first unpacked bytes of an entry, at most `count`.
  public func beginning(of entry: Entry, count: Int) throws(ZipError) -> [UInt8] {
    if entry.isStored { return try file.zipBytes(at: entry.offset, count: min(count, entry.byteCount)) }
    try checkExpansion(entry)
    do throws(FileError) {
      let buffer = try AlignedBuffer(byteCount: count)
      let decoder = try InflateDecoder(file, entry, name: name(of: entry))
      var done = 0
      while done < count {
        let got = try decoder.decode(into: UnsafeMutableRawBufferPointer(rebasing: buffer.bytes[done...]))
        if got == 0 { break }
        done += got
      }
      return [UInt8](buffer.bytes[..<done])
    } catch { throw .file(error) }
  }

  /// The unpacked bytes of a deflated entry as a source of its own.
  public func unpacked(_ entry: Entry, in space: TemporarySpace) throws(ZipError) -> SpooledFile {
    try checkExpansion(entry)
    do {
      let (file, name) = (file, name(of: entry))
      return try SpooledFile(file, byteCount: entry.byteCount, in: space) {
        () throws(FileError) in try InflateDecoder(file, entry, name: name)
      }
    } catch { throw .file(error) }
  }
}
