import Tensors

extension ZipArchive.Entry {
  /// The name's place in the directory's bytes.
  var name: Range<Int> { Int(nameStart)..<Int(nameStart) + Int(nameCount) }

  /// Sizes and checksum follow the data; its own header may have zeros there.
  private var hasDescriptor: Bool { flags & 8 != 0 }

  /// All records of a directory, their names checked to be plain and different.
  static func all(_ bytes: [UInt8], end: DirectoryEnd) throws(ZipError) -> [Self] {
    guard end.entryCount <= bytes.count / 46 else {
      throw .entryCount(expected: end.entryCount, found: bytes.count / 46)
    }
    var entries: [Self] = []
    entries.reserveCapacity(end.entryCount)
    var cursor = ByteCursor(bytes)
    while cursor.remaining > 0 {
      guard entries.count < end.entryCount else {
        throw .entryCount(expected: end.entryCount, found: entries.count + 1)
      }
      entries.append(try Self(&cursor))
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
    let bytes = cursor.bytes
    let text = { Array(bytes[name]) }
    guard disk == 0 || disk == .max else { throw .severalDisks }
    guard flags & 0x2041 == 0 else { throw .encrypted(entry: text()) }
    guard method == 0 || method == 8 else { throw .unknownMethod(entry: text(), method: Int(method)) }
    var wide = ByteCursor(Array(try Self.zip64Field(bytes[extra], entry: text)))
    func full(_ value: UInt32) throws(ZipError) -> Int {
      guard value == .max else { return Int(value) }
      guard let number = wide.take(UInt64.self) else { throw .sizeMissing(entry: text()) }
      guard let value = Int(exactly: number) else { throw .outside(entry: text()) }
      return value
    }
    nameStart = UInt32(name.lowerBound)
    self.nameCount = nameCount
    self.method = method
    self.flags = flags
    self.checksum = checksum
    byteCount = try full(unpacked)
    packedByteCount = try full(packed)
    headerOffset = try full(offset)
    self.offset = 0  // known once its own header has been read
    guard method != 0 || byteCount == packedByteCount else {
      throw .storedSizes(entry: text(), packed: packedByteCount, unpacked: byteCount)
    }
  }

  /// The zip64 extra field, empty where there is none. APPNOTE, section 4.5.3.
  private static func zip64Field(_ extra: ArraySlice<UInt8>, entry: () -> [UInt8]) throws(ZipError) -> ArraySlice<UInt8>
  {
    var rest = extra
    var found: ArraySlice<UInt8>?
    while rest.count >= 4 {
      let first = rest.startIndex
      let id = UInt16(rest[first]) | UInt16(rest[first + 1]) << 8
      let count = Int(rest[first + 2]) | Int(rest[first + 3]) << 8
      guard count <= rest.count - 4 else { break }
      if id == 1 {
        guard found == nil else { throw .headersDiffer(entry: entry(), field: "number of zip64 fields") }
        found = rest[(first + 4)..<(first + 4 + count)]
      }
      rest = rest[(first + 4 + count)...]
    }
    return found ?? []
  }

  private static func checkNames(_ entries: [Self], _ bytes: [UInt8]) throws(ZipError) {
    // Sorted by a hash: equal names lie side by side, without a copy of each name.
    var hashes: [(hash: Int, number: Int)] = []
    hashes.reserveCapacity(entries.count)
    for (number, entry) in entries.enumerated() {
      let name = bytes[entry.name]
      guard isPlain(name) else { throw .badName(entry: Array(name)) }
      // Hashed with the process's own seed: names that are made to collide here cannot be made beforehand.
      var hasher = Hasher()
      name.withUnsafeBytes { hasher.combine(bytes: $0) }
      hashes.append((hasher.finalize(), number))
    }
    hashes.sort { $0 < $1 }
    for (item, other) in zip(hashes, hashes.dropFirst()) where item.hash == other.hash {
      guard !bytes[entries[item.number].name].elementsEqual(bytes[entries[other.number].name]) else {
        throw .nameTwice(entry: Array(bytes[entries[item.number].name]))
      }
    }
  }

  /// Whether a name is plain names joined by `/`, or such a name and `/` for a folder.
  private static func isPlain(_ name: ArraySlice<UInt8>) -> Bool {
    name.count <= Limits.zipNameByteCount
      && Folder.isPlainPath(name.last == UInt8(ascii: "/") ? name.dropLast() : name)
  }

  /// Finds where the entry's data lies, and that its own header says the same as the directory. APPNOTE, section 4.3.7.
  /// - Parameter limit: where the directory starts.
  mutating func locate(_ file: any ByteSource, directory: [UInt8], limit: Int) throws(ZipError) {
    let range = name
    let text = { Array(directory[range]) }
    guard headerOffset <= limit - 30 else { throw .outside(entry: text()) }
    // The name and what usually follows it are read along.
    let head = try file.zipBytes(at: headerOffset, count: min(30 + range.count + 64, limit - headerOffset))
    var cursor = ByteCursor(head)
    guard cursor.take(UInt32.self) == 0x0403_4B50, cursor.take(count: 2) != nil, let flags = cursor.take(UInt16.self),
      let method = cursor.take(UInt16.self), cursor.take(count: 4) != nil, let checksum = cursor.take(UInt32.self),
      let packed = cursor.take(UInt32.self), let unpacked = cursor.take(UInt32.self),
      let nameCount = cursor.take(UInt16.self), let extraCount = cursor.take(UInt16.self)
    else { throw .badLocalHeader(entry: text()) }
    guard flags & 0x2041 == 0 else { throw .encrypted(entry: text()) }
    guard (flags ^ self.flags) & 8 == 0 else { throw .headersDiffer(entry: text(), field: "flags") }
    guard method == self.method else { throw .headersDiffer(entry: text(), field: "method") }
    let headByteCount = 30 + Int(nameCount) + Int(extraCount)
    guard nameCount == self.nameCount, headByteCount <= limit - headerOffset else {
      throw .headersDiffer(entry: text(), field: "name")
    }
    let whole = headByteCount <= head.count ? head : try file.zipBytes(at: headerOffset, count: headByteCount)
    guard whole[30..<30 + range.count].elementsEqual(directory[range]) else {
      throw .headersDiffer(entry: text(), field: "name")
    }
    var wide = ByteCursor(Array(try Self.zip64Field(whole[(30 + range.count)..<headByteCount], entry: text)))
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
    offset = headerOffset + headByteCount
    guard packedByteCount <= limit - offset else { throw .outside(entry: text()) }
  }
}
