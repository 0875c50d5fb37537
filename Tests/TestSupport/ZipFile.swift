/// Zip archives by hand, right or wrong: every field can be another than it should be.
public struct ZipFile {
  public struct Entry: Sendable {
    public var name: [UInt8]
    public var data: [UInt8]
    public var method: UInt16 = 0
    public var flags: UInt16 = 0
    /// Bytes that the data unpacks to; nil for as many as there are.
    public var byteCount: UInt32?
    public var packedByteCount: UInt32?
    public var checksum: UInt32 = 0
    public var extra: [UInt8] = []
    public var disk: UInt16 = 0
    /// Where the directory says that the entry is; nil for where it is.
    public var offset: UInt32?
    /// What the entry's own header says, where that differs.
    public var local = Local()
    public var nameCount: UInt16?
    public var extraCount: UInt16?
    public var commentCount: UInt16 = 0
    public var signature: UInt32 = 0x0201_4B50

    public init(_ name: String, _ data: [UInt8]) {
      self.name = Array(name.utf8)
      self.data = data
    }
  }

  public struct Local: Sendable {
    public var name: [UInt8]?
    public var method: UInt16?
    public var flags: UInt16?
    public var byteCount: UInt32?
    public var packedByteCount: UInt32?
    public var checksum: UInt32?
    public var extra: [UInt8] = []
    public var signature: UInt32 = 0x0403_4B50
    public var extraCount: UInt16?
  }

  /// The fields of the zip64 end record and its locator.
  public struct Zip64: Sendable {
    public var signature: UInt32 = 0x0606_4B50
    public var size: UInt64 = 44
    public var disk: UInt32 = 0
    public var entries: UInt64?
    public var byteCount: UInt64?
    public var offset: UInt64?
    public var locatorDisk: UInt32 = 0
    public var locatorOffset: UInt64?
    public var disks: UInt32 = 1

    public init() {}
  }

  public var entries: [Entry]
  public var disk: UInt16 = 0
  public var directoryDisk: UInt16 = 0
  public var diskEntries: UInt16?
  public var entryCount: UInt16?
  public var directoryByteCount: UInt32?
  public var directoryOffset: UInt32?
  public var gap: [UInt8] = []
  public var comment: [UInt8] = []
  public var zip64: Zip64?

  public init(_ entries: [Entry]) { self.entries = entries }

  public func bytes() -> [UInt8] {
    var out: [UInt8] = []
    var directory: [UInt8] = []
    for entry in entries {
      let offset = UInt32(out.count)
      let local = entry.local
      let packed = entry.packedByteCount ?? UInt32(entry.data.count)
      let unpacked = entry.byteCount ?? UInt32(entry.data.count)
      let name = local.name ?? entry.name
      out += little(local.signature) + little(UInt16(20)) + little(local.flags ?? entry.flags)
      out += little(local.method ?? entry.method) + little(UInt32(0)) + little(local.checksum ?? entry.checksum)
      out += little(local.packedByteCount ?? packed) + little(local.byteCount ?? unpacked) + little(UInt16(name.count))
      out += little(local.extraCount ?? UInt16(local.extra.count)) + name + local.extra + entry.data
      directory += little(entry.signature) + little(UInt16(20)) + little(UInt16(20)) + little(entry.flags)
      directory += little(entry.method) + little(UInt32(0)) + little(entry.checksum) + little(packed) + little(unpacked)
      directory += little(entry.nameCount ?? UInt16(entry.name.count))
      directory += little(entry.extraCount ?? UInt16(entry.extra.count)) + little(entry.commentCount)
      directory += little(entry.disk) + little(UInt16(0)) + little(UInt32(0)) + little(entry.offset ?? offset)
      directory += entry.name + entry.extra
    }
    let start = UInt64(out.count)
    out += directory + gap
    if let zip64 {
      let recordOffset = UInt64(out.count)
      out += little(zip64.signature) + little(zip64.size) + little(UInt16(45)) + little(UInt16(45)) + little(zip64.disk)
      out += little(zip64.disk) + little(zip64.entries ?? UInt64(entries.count))
      out += little(zip64.entries ?? UInt64(entries.count)) + little(zip64.byteCount ?? UInt64(directory.count))
      out += little(zip64.offset ?? start)
      out += little(UInt32(0x0706_4B50)) + little(zip64.locatorDisk) + little(zip64.locatorOffset ?? recordOffset)
      out += little(zip64.disks)
    }
    out += little(UInt32(0x0605_4B50)) + little(disk) + little(directoryDisk)
    out += little(diskEntries ?? entryCount ?? UInt16(entries.count)) + little(entryCount ?? UInt16(entries.count))
    out += little(directoryByteCount ?? UInt32(directory.count)) + little(directoryOffset ?? UInt32(start))
    return out + little(UInt16(comment.count)) + comment
  }
}
