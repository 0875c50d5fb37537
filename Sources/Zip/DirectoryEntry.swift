import Tensors

/// One record of a zip directory. APPNOTE, section 4.3.12.
struct DirectoryEntry {
  /// The name's place in the directory's bytes.
  let name: Range<Int>
  let method: UInt16
  let flags: UInt16
  let checksum: UInt32
  let packedByteCount: Int
  let byteCount: Int
  /// Where the entry's own header starts.
  let offset: Int

  /// Sizes and checksum follow the data; its own header may have zeros there.
  private var hasDescriptor: Bool { flags & 8 != 0 }

  /// All records of a directory, their names checked to be plain and different.
  static func all(_ bytes: [UInt8], end: DirectoryEnd) throws(ZipError) -> [DirectoryEntry] {
    guard end.entryCount <= bytes.count / 46 else {
      throw .entryCount(expected: end.entryCount, found: bytes.count / 46)
    }
    var entries: [DirectoryEntry] = []
    entries.reserveCapacity(end.entryCount)
    var cursor = ByteCursor(bytes)
    while cursor.remaining > 0 {
      guard entries.count < end.entryCount else {
        throw .entryCount(expected: end.entryCount, found: entries.count + 1)
      }
      entries.append(try DirectoryEntry(&cursor))
    }
    guard entries.count == end.entryCount else { throw .entryCount(expected: end.entryCount, found: entries.count) }
    try checkNames(entries, bytes)
    return entries
  }

  private init(_ cursor: inout ByteCursor) throws(ZipError) {
    let start = cursor.offset
    guard cursor.take(UInt32.self) == 0x0201_4B50, cursor.take(count: 4) != nil,
      let flags = cursor.take(UInt16.self), let method = cursor.take(UInt16.self), cursor.take(count: 4) != nil,
      let checksum = cursor.take(UInt32.self), let packed = cursor.take(UInt32.self),
      let unpacked = cursor.take(UInt32.self), let nameCount = cursor.take(UInt16.self),
      let extraCount = cursor.take(UInt16.self), let commentCount = cursor.take(UInt16.self),
      let disk = cursor.take(UInt16.self), cursor.take(count: 6) != nil, let offset = cursor.take(UInt32.self),
      let name = cursor.take(count: Int(nameCount)), let extra = cursor.take(count: Int(extraCount)),
      cursor.take(count: Int(commentCount)) != nil
    else { throw .badDirectoryEntry(offset: start) }
    let text = Array(cursor.bytes[name])
    guard disk == 0 || disk == .max else { throw .severalDisks }
    guard flags & 0x2041 == 0 else { throw .encrypted(entry: text) }
    guard method == 0 || method == 8 else { throw .unknownMethod(entry: text, method: Int(method)) }
    var wide = ByteCursor(Array(try Self.zip64Field(cursor.bytes[extra], entry: text)))
    func full(_ value: UInt32) throws(ZipError) -> Int {
      guard value == .max else { return Int(value) }
      guard let number = wide.take(UInt64.self) else { throw .sizeMissing(entry: text) }
      guard let value = Int(exactly: number) else { throw .outside(entry: text) }
      return value
    }
    self.name = name
    self.method = method
    self.flags = flags
    self.checksum = checksum
    byteCount = try full(unpacked)
    packedByteCount = try full(packed)
    self.offset = try full(offset)
    guard method != 0 || byteCount == packedByteCount else {
      throw .storedSizes(entry: text, packed: packedByteCount, unpacked: byteCount)
    }
  }

  /// The zip64 extra field, empty where there is none. APPNOTE, section 4.5.3.
  private static func zip64Field(_ extra: ArraySlice<UInt8>, entry: [UInt8]) throws(ZipError) -> ArraySlice<UInt8> {
    var rest = extra
    var found: ArraySlice<UInt8>?
    while rest.count >= 4 {
      let first = rest.startIndex
      let id = UInt16(rest[first]) | UInt16(rest[first + 1]) << 8
      let count = Int(rest[first + 2]) | Int(rest[first + 3]) << 8
      guard count <= rest.count - 4 else { break }
      if id == 1 {
        guard found == nil else { throw .headersDiffer(entry: entry, field: "zip64 field (twice)") }
        found = rest[(first + 4)..<(first + 4 + count)]
      }
      rest = rest[(first + 4 + count)...]
    }
    return found ?? []
  }

  private static func checkNames(_ entries: [DirectoryEntry], _ bytes: [UInt8]) throws(ZipError) {
    // Sorted by a hash: equal names lie side by side, without a copy of each name.
    var hashes: [(hash: UInt64, number: Int)] = []
    hashes.reserveCapacity(entries.count)
    for (number, entry) in entries.enumerated() {
      let name = bytes[entry.name]
      let parts = name.last == UInt8(ascii: "/") ? name.dropLast() : name
      guard let text = String(validating: parts, as: UTF8.self), Folder.isPlainPath(text) else {
        throw .badName(entry: Array(name))
      }
      hashes.append((name.reduce(0xCBF2_9CE4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }, number))
    }
    hashes.sort { $0 < $1 }
    for (place, item) in hashes.enumerated() {
      for other in hashes[(place + 1)...] {
        guard other.hash == item.hash else { break }
        guard !bytes[entries[item.number].name].elementsEqual(bytes[entries[other.number].name]) else {
          throw .nameTwice(entry: Array(bytes[entries[item.number].name]))
        }
      }
    }
  }

  /// Where the entry's data lies, after its own header has been found to say the same as the directory.
  /// APPNOTE, section 4.3.7.
  /// - Parameter limit: where the directory starts.
  func dataRange(_ file: any ByteSource, directory: [UInt8], limit: Int) throws(ZipError) -> Range<Int> {
    let text = { Array(directory[name]) }
    guard offset <= limit - 30 else { throw .outside(entry: text()) }
    var cursor = ByteCursor(try file.zipBytes(at: offset, count: 30))
    guard cursor.take(UInt32.self) == 0x0403_4B50, cursor.take(count: 2) != nil, let flags = cursor.take(UInt16.self),
      let method = cursor.take(UInt16.self), cursor.take(count: 4) != nil, let checksum = cursor.take(UInt32.self),
      let packed = cursor.take(UInt32.self), let unpacked = cursor.take(UInt32.self),
      let nameCount = cursor.take(UInt16.self), let extraCount = cursor.take(UInt16.self)
    else { throw .badLocalHeader(entry: text()) }
    guard flags & 0x2041 == 0 else { throw .encrypted(entry: text()) }
    guard (flags ^ self.flags) & 8 == 0 else { throw .headersDiffer(entry: text(), field: "flags") }
    guard method == self.method else { throw .headersDiffer(entry: text(), field: "method") }
    guard Int(nameCount) == name.count, offset + 30 + Int(nameCount) + Int(extraCount) <= limit else {
      throw .headersDiffer(entry: text(), field: "name")
    }
    let variable = try file.zipBytes(at: offset + 30, count: Int(nameCount) + Int(extraCount))
    guard variable[..<Int(nameCount)].elementsEqual(directory[name]) else {
      throw .headersDiffer(entry: text(), field: "name")
    }
    var wide = ByteCursor(Array(try Self.zip64Field(variable[Int(nameCount)...], entry: text())))
    func agrees(_ value: UInt32, _ expected: Int) -> Bool {
      if hasDescriptor && value == 0 { return true }
      let found = value == .max ? (wide.take(UInt64.self) ?? UInt64(value)) : UInt64(value)
      return found == UInt64(expected) || (hasDescriptor && found == 0)
    }
    guard agrees(unpacked, byteCount) else { throw .headersDiffer(entry: text(), field: "size") }
    guard agrees(packed, packedByteCount) else { throw .headersDiffer(entry: text(), field: "packed size") }
    guard checksum == self.checksum || (hasDescriptor && checksum == 0) else {
      throw .headersDiffer(entry: text(), field: "checksum")
    }
    let start = offset + 30 + Int(nameCount) + Int(extraCount)
    guard packedByteCount <= limit - start else { throw .outside(entry: text()) }
    return start..<start + packedByteCount
  }
}
