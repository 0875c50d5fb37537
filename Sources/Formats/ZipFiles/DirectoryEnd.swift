import Tensors

/// The records at the end of a zip archive that say where its directory lies. APPNOTE, sections 4.3.14 to 4.3.16.
struct DirectoryEnd {
  let directoryOffset: Int
  let directoryByteCount: Int
  let entryCount: Int

  private static let byteCount = 22
  private static let signature: [UInt8] = [0x50, 0x4B, 0x05, 0x06]

  init(_ file: any ByteSource) throws(ZipError) {
    let tailCount = min(file.byteCount, Self.byteCount + 65_535)
    let tailOffset = file.byteCount - tailCount
    let tail = try file.zipBytes(at: tailOffset, count: tailCount)
    let start = try Self.start(in: tail)
    var cursor = ByteCursor(tail, offset: start + 4)
    let (disk, directoryDisk) = (cursor.take(UInt16.self)!, cursor.take(UInt16.self)!)
    let (diskEntries, entries) = (cursor.take(UInt16.self)!, cursor.take(UInt16.self)!)
    let (size, offset) = (cursor.take(UInt32.self)!, cursor.take(UInt32.self)!)
    var record = Record(entries: UInt64(entries), byteCount: UInt64(size), offset: UInt64(offset))
    var end = tailOffset + start
    if let zip64 = try Self.zip64(file, before: end) {
      // A field that does not say "see zip64" must agree with it.
      if entries != .max, UInt64(entries) != zip64.record.entries {
        throw .zip64Disagrees(field: "the number of entries")
      }
      if size != .max, UInt64(size) != zip64.record.byteCount { throw .zip64Disagrees(field: "the directory's size") }
      if offset != .max, UInt64(offset) != zip64.record.offset { throw .zip64Disagrees(field: "the directory's place") }
      (record, end) = (zip64.record, zip64.start)
    } else {
      if entries == .max || size == .max || offset == .max { throw .zip64LocatorMissing }
      guard disk == 0, directoryDisk == 0, diskEntries == entries else { throw .severalDisks }
    }
    guard record.entries <= UInt64(Limits.zipEntryCount) else { throw .tooManyEntries(count: record.entries) }
    guard record.byteCount <= UInt64(Limits.zipDirectoryByteCount) else {
      throw .directoryTooLarge(byteCount: record.byteCount)
    }
    let (sum, overflow) = record.offset.addingReportingOverflow(record.byteCount)
    guard !overflow, sum <= UInt64(end) else {
      throw .directoryOutside(offset: record.offset, byteCount: record.byteCount)
    }
    guard sum == UInt64(end) else { throw .directoryMisplaced(expected: end, found: Int(sum)) }
    directoryOffset = Int(record.offset)
    directoryByteCount = Int(record.byteCount)
    entryCount = Int(record.entries)
  }

  private struct Record {
    let entries: UInt64
    let byteCount: UInt64
    let offset: UInt64
  }

  /// Where the one end record starts: its comment reaches exactly to the end of the file.
  private static func start(in tail: [UInt8]) throws(ZipError) -> Int {
    var found: Int?
    var place = tail.count - byteCount
    while place >= 0 {
      if tail[place] == signature[0], tail[place..<place + 4].elementsEqual(signature),
        Int(tail[place + 20]) | Int(tail[place + 21]) << 8 == tail.count - place - byteCount
      {
        guard found == nil else { throw .severalDirectories }
        found = place
      }
      place -= 1
    }
    guard let found else { throw .noDirectory }
    return found
  }

  /// The zip64 end record, where its locator stands before the plain one.
  private static func zip64(_ file: any ByteSource, before end: Int) throws(ZipError) -> (record: Record, start: Int)? {
    guard end >= 20 + 56 else { return nil }
    var locator = ByteCursor(try file.zipBytes(at: end - 20, count: 20))
    guard locator.take(UInt32.self) == 0x0706_4B50 else { return nil }
    guard locator.take(UInt32.self) == 0, let offset = locator.take(UInt64.self), locator.take(UInt32.self) == 1 else {
      throw .severalDisks
    }
    // Version 1 of the record has a fixed size and lies right before its locator.
    let start = end - 20 - 56
    guard offset == UInt64(start) else { throw .badZip64Record(offset: Int(clamping: offset)) }
    var cursor = ByteCursor(try file.zipBytes(at: start, count: 56))
    guard cursor.take(UInt32.self) == 0x0606_4B50, cursor.take(UInt64.self) == 44, cursor.take(count: 4) != nil,
      let disk = cursor.take(UInt32.self), let directoryDisk = cursor.take(UInt32.self),
      let diskEntries = cursor.take(UInt64.self), let entries = cursor.take(UInt64.self),
      let size = cursor.take(UInt64.self), let place = cursor.take(UInt64.self)
    else { throw .badZip64Record(offset: start) }
    guard disk == 0, directoryDisk == 0, diskEntries == entries else { throw .severalDisks }
    return (Record(entries: entries, byteCount: size, offset: place), start)
  }
}

extension ByteSource {
  func zipBytes(at offset: Int, count: Int) throws(ZipError) -> [UInt8] {
    do { return try bytes(at: offset, count: count) } catch { throw .file(error) }
  }
}
