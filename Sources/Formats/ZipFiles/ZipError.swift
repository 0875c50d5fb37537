import Tensors

/// A rule of the zip format, or of ours on top of it, that an archive breaks.
public enum ZipError: PlacelessError, Equatable {
  case file(FileError)
  /// No end-of-directory record where one must stand.
  case noDirectory
  /// Two records could both be the end of the directory.
  case severalDirectories
  case severalDisks
  case zip64LocatorMissing
  case badZip64Record(offset: Int)
  case zip64Disagrees(field: String)
  case tooManyEntries(count: UInt64)
  case directoryTooLarge(byteCount: UInt64)
  case directoryOutside(offset: UInt64, byteCount: UInt64)
  /// Bytes stand between the directory and its end record, or before it where no entry is.
  case directoryMisplaced(expected: Int, found: Int)
  case entryCount(expected: Int, found: Int)
  case badDirectoryEntry(offset: Int)
  case badName(entry: [UInt8])
  case nameTwice(entry: [UInt8])
  case encrypted(entry: [UInt8])
  case unknownMethod(entry: [UInt8], method: Int)
  case storedSizes(entry: [UInt8], packed: Int, unpacked: Int)
  case sizeMissing(entry: [UInt8])
  case outside(entry: [UInt8])
  case badLocalHeader(entry: [UInt8])
  /// The entry's own header and the directory differ.
  case headersDiffer(entry: [UInt8], field: String)
  case overlap(entry: [UInt8], other: [UInt8])
  case checksum(entry: [UInt8], expected: UInt32, found: UInt32)
  case expansion(entry: [UInt8], packed: Int, unpacked: Int)

  /// The report for an archive at `path`.
  public func report(at path: String) -> ErrorReport {
    let bad = BadData(at: path)
    func name(_ entry: [UInt8]) -> String { "zip entry '\(String(utf8: entry))'" }
    switch self {
    case .file(let error): return error.report
    case .noDirectory: return bad("has no zip directory at its end", nil, nil, BadData.cut)
    case .severalDirectories: return bad("has more than one end of a zip directory", "one")
    case .severalDisks: return bad("is a part of a zip archive of several disks", "one disk")
    case .zip64LocatorMissing: return bad("has sizes for zip64 but no zip64 locator")
    case .badZip64Record(let offset): return bad("has no zip64 end record at byte \(offset)")
    case .zip64Disagrees(let field): return bad("zip64 and plain end records differ in \(field)")
    case .tooManyEntries(let count):
      return bad("has too many zip entries", "at most \(Limits.zipEntryCount)", "\(count)")
    case .directoryTooLarge(let count):
      return bad("has a zip directory over the limit", "at most \(Limits.zipDirectoryByteCount) bytes", "\(count)")
    case .directoryOutside(let offset, let count):
      return bad("zip directory of \(count) bytes at byte \(offset) lies outside the file", nil, nil, BadData.cut)
    case .directoryMisplaced(let expected, let found):
      return bad("zip directory is not where its end record stands", "an end at byte \(expected)", "\(found)")
    case .entryCount(let expected, let found):
      return bad("zip directory holds another number of entries than stated", "\(expected)", "\(found)")
    case .badDirectoryEntry(let offset): return bad("zip directory is damaged at byte \(offset)")
    case .badName(let entry):
      return bad("\(name(entry)) has a name that is empty, too long, not UTF-8 or leads outside")
    case .nameTwice(let entry): return bad("\(name(entry)) occurs twice", "one")
    case .encrypted(let entry): return bad("\(name(entry)) is encrypted", "plain data")
    case .unknownMethod(let entry, let method):
      return bad("\(name(entry)) is compressed in an unknown way", "stored or deflated", "method \(method)")
    case .storedSizes(let entry, let packed, let unpacked):
      return bad("\(name(entry)) is stored, but its two sizes differ", "\(packed)", "\(unpacked)")
    case .sizeMissing(let entry): return bad("\(name(entry)) needs zip64 sizes that are not there")
    case .outside(let entry): return bad("\(name(entry)) reaches past its place in the file", nil, nil, BadData.cut)
    case .badLocalHeader(let entry): return bad("\(name(entry)) has no header of its own where it should stand")
    case .headersDiffer(let entry, let field):
      return bad("\(name(entry)) has another \(field) in its own header than in the directory")
    case .overlap(let entry, let other): return bad("\(name(entry)) and '\(String(utf8: other))' overlap")
    case .checksum(let entry, let expected, let found):
      return bad(
        "\(name(entry)) does not have its checksum", hex(expected), hex(found), BadData.damaged
      )
    case .expansion(let entry, let packed, let unpacked):
      return bad("\(name(entry)) claims to unpack from \(packed) to \(unpacked) bytes", "at most 1032 times")
    }
  }

  private func hex(_ value: UInt32) -> String { "0x" + String(value, radix: 16) }
}
