import Kernels
import Tensors

/// One of the two first pages of a `.bantam` file: where the tables are and what they must hash to.
///
/// Format: formats/bantam.md, section 3.
public struct Superblock: Sendable, Equatable {
  public static let byteCount = 4096
  static let magic: [UInt8] = [0x89, 0x42, 0x54, 0x4D, 0x0D, 0x0A, 0x1A, 0x0A]
  /// The minor version that is written; bytes that it leaves reserved are zero in its files.
  static let currentMinor = 1
  static let featureTextByteCount = 512
  /// Required features that this program implements. Version 1 has none.
  static let knownFeatures: Set<String> = []

  /// A table elsewhere in the file.
  public struct Table: Sendable, Equatable {
    public var offset: Int
    public var byteCount: Int
    public var digest: Digest
    public var end: Int { offset + byteCount }
  }

  public var minor = Superblock.currentMinor
  /// Grows by one with each edit. The valid superblock with the higher one counts.
  public var generation: Int
  public var fileByteCount: Int
  public var index: Table
  public var metadata: Table
  public var geometry = Geometry()
  public var requiredFeatures: [String] = []
  public var optionalFeatures: [String] = []

  /// Alignment and checksum grain of the payload.
  public struct Geometry: Sendable, Equatable {
    /// Bytes to a checksum.
    public var chunkByteCount = 1 << 20
    public var smallAlignment = 64
    /// Alignment of planes of at least `largePlaneByteCount`.
    public var largeAlignment = 4096
    public var arenaAlignment = 1 << 16
    public var largePlaneByteCount = 1 << 16
    /// Zero bytes after the last plane of an arena, so that a SIMD load past the end stays in the file.
    public var guardByteCount = 256

    public init() {}
  }

  init(generation: Int, fileByteCount: Int, index: Table, metadata: Table, geometry: Geometry) {
    self.generation = generation
    self.fileByteCount = fileByteCount
    self.index = index
    self.metadata = metadata
    self.geometry = geometry
  }

  func encoded() -> [UInt8] {
    var out = LittleEndianWriter()
    out.put(bytes: Self.magic)
    out.put(UInt32(0x0102_0304))
    out.put(UInt16(1))
    out.put(UInt16(minor))
    out.put(UInt64(generation))
    out.put(UInt64(fileByteCount))
    for table in [index, metadata] {
      out.put(UInt64(table.offset))
      out.put(UInt64(table.byteCount))
      out.put(bytes: table.digest.bytes)
    }
    for power in [
      geometry.chunkByteCount, geometry.smallAlignment, geometry.largeAlignment, geometry.arenaAlignment,
    ] {
      out.put(UInt8(power.trailingZeroBitCount))
    }
    out.put(UInt32(geometry.largePlaneByteCount))
    out.put(UInt32(geometry.guardByteCount))
    out.pad(to: 144)
    for (features, end) in [(requiredFeatures, 656), (optionalFeatures, 1168)] {
      out.put(bytes: Array(features.joined(separator: ",").utf8))
      out.pad(to: end)
    }
    out.pad(to: Self.byteCount - 4)
    out.put(CRC32C.of(out.bytes))
    return out.bytes
  }

  /// Whether a page is a superblock whose checksum holds.
  static func isSound(_ page: [UInt8]) -> Bool {
    guard page.count == byteCount, page.starts(with: magic) else { return false }
    let stored = page.withUnsafeBytes { LittleEndianRecord(table: $0, start: 0).get(byteCount - 4, as: UInt32.self) }
    return CRC32C.of(Array(page.prefix(byteCount - 4))) == stored
  }

  /// The generation that a sound page claims.
  static func generation(of page: [UInt8]) -> UInt64 {
    page.withUnsafeBytes { LittleEndianRecord(table: $0, start: 0).get(16) }
  }

  /// - Parameter page: 4,096 bytes for which ``isSound(_:)`` holds.
  init(_ page: [UInt8], path: String) throws(ArchiveError) {
    let result: Result<Superblock, ArchiveError> = page.withUnsafeBytes { bytes in
      do throws(ArchiveError) {
        return .success(try Superblock(record: LittleEndianRecord(table: bytes, start: 0), path: path))
      } catch { return .failure(error) }
    }
    self = try result.get()
  }

  private init(record: LittleEndianRecord, path: String) throws(ArchiveError) {
    let order = record.get(8, as: UInt32.self)
    if order == 0x0403_0201 { throw .bigEndian(path: path) }
    guard order == 0x0102_0304 else { throw .badParameter(path: path, name: "byte order", value: Int(order)) }
    guard record.u16(12) == 1 else { throw .unknownVersion(path: path, major: record.u16(12)) }
    minor = record.u16(14)
    guard let generation = record.size(16) else {
      throw .badParameter(path: path, name: "generation", value: Int.max)
    }
    guard generation > 0 else { throw .generationZero(path: path) }
    self.generation = generation
    guard let fileByteCount = record.size(24) else { throw .tableOutOfBounds(path: path, table: "file size") }
    self.fileByteCount = fileByteCount
    index = try Self.table(record, at: 32, "index", fileByteCount, path)
    metadata = try Self.table(record, at: 80, "metadata table", fileByteCount, path)
    guard index.byteCount <= Limits.archiveIndexByteCount else {
      throw .indexTooLarge(path: path, byteCount: index.byteCount)
    }
    guard metadata.byteCount <= Limits.configByteCount else {
      throw .indexTooLarge(path: path, byteCount: metadata.byteCount)
    }
    guard index.end <= metadata.offset else {
      throw .overlap(path: path, first: "index", second: "metadata table")
    }
    geometry = try Self.geometry(record, path)
    requiredFeatures = try Self.features(record, at: 144, path)
    optionalFeatures = try Self.features(record, at: 656, path)
    for feature in requiredFeatures where !Self.knownFeatures.contains(feature) {
      throw .unknownFeature(path: path, feature: feature)
    }
    if minor <= Self.currentMinor,
      record.bytes(140, 4).contains(where: { $0 != 0 }) || record.bytes(1168, 4092 - 1168).contains(where: { $0 != 0 })
    {
      throw .reservedNotZero(path: path, part: "superblock")
    }
  }

  private static func table(
    _ record: LittleEndianRecord, at field: Int, _ name: String, _ fileByteCount: Int, _ path: String
  ) throws(ArchiveError) -> Table {
    guard let offset = record.size(field), let count = record.size(field + 8),
      offset >= 2 * byteCount, !offset.addingReportingOverflow(count).overflow, offset + count <= fileByteCount
    else { throw .tableOutOfBounds(path: path, table: name) }
    return Table(offset: offset, byteCount: count, digest: Digest(record.bytes(field + 16, 32)))
  }

  private static func geometry(_ record: LittleEndianRecord, _ path: String) throws(ArchiveError) -> Geometry {
    func power(_ field: Int, _ name: String, _ range: ClosedRange<Int>) throws(ArchiveError) -> Int {
      let value = Int(record.get(field, as: UInt8.self))
      guard range.contains(value) else { throw .badParameter(path: path, name: name, value: value) }
      return 1 << value
    }
    var geometry = Geometry()
    geometry.chunkByteCount = try power(128, "chunk", 12...26)
    geometry.smallAlignment = try power(129, "small alignment", 0...12)
    geometry.largeAlignment = try power(130, "large alignment", 0...21)
    geometry.arenaAlignment = try power(131, "arena alignment", 0...30)
    geometry.largePlaneByteCount = record.u32(132)
    geometry.guardByteCount = record.u32(136)
    guard geometry.guardByteCount <= 1 << 20 else {
      throw .badParameter(path: path, name: "guard", value: geometry.guardByteCount)
    }
    return geometry
  }

  private static func features(
    _ record: LittleEndianRecord, at field: Int, _ path: String
  ) throws(ArchiveError) -> [String] {
    let bytes = record.bytes(field, featureTextByteCount)
    let text = bytes.prefix { $0 != 0 }
    guard bytes[text.count...].allSatisfy({ $0 == 0 }), text.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else {
      throw .badFeatureText(path: path)
    }
    return text.split(separator: UInt8(ascii: ",")).map { String(decoding: $0, as: UTF8.self) }
  }
}
