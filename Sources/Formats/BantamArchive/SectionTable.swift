import Kernels
import Tensors

/// The sections of an index, each known to lie inside it.
struct SectionTable {
  struct Entry {
    let name: String
    let offset: Int
    let count: Int
    let stride: Int
    let sum: UInt32
    var byteCount: Int { count * stride }
  }

  let entries: [Entry]

  /// - Throws: ``ArchiveError`` for anything that is not as section 4 of the format says.
  init(_ bytes: UnsafeRawBufferPointer, path: String) throws(ArchiveError) {
    guard bytes.count >= Section.headerByteCount, bytes.prefix(8).elementsEqual("BTMINDEX".utf8) else {
      throw .badIndexMagic(path: path)
    }
    let header = LittleEndianRecord(table: bytes, start: 0)
    let count = header.u32(8)
    guard header.u32(12) == Section.entryByteCount else {
      throw .badSectionTable(path: path, rule: "entries are not \(Section.entryByteCount) bytes long")
    }
    guard count <= 1024, Section.headerByteCount + count * Section.entryByteCount <= bytes.count else {
      throw .badSectionTable(path: path, rule: "it is longer than the index")
    }
    var entries: [Entry] = []
    var position = Section.headerByteCount + count * Section.entryByteCount
    for number in 0..<count {
      let record = LittleEndianRecord(
        table: bytes, start: Section.headerByteCount + number * Section.entryByteCount)
      let name = String(decoding: record.bytes(0, 4), as: UTF8.self)
      guard let offset = record.size(8), let recordCount = record.size(16), record.u32(24) > 0 else {
        throw .sectionOutOfBounds(path: path, section: name)
      }
      let (length, overflow) = recordCount.multipliedReportingOverflow(by: record.u32(24))
      guard !overflow, offset >= position, length <= bytes.count, offset <= bytes.count - length else {
        throw .sectionOutOfBounds(path: path, section: name)
      }
      // Only padding to the next multiple of 8 may lie between two sections.
      guard offset == roundUp(position, to: 8), bytes[position..<offset].allSatisfy({ $0 == 0 }) else {
        throw .badSectionTable(path: path, rule: "bytes before section '\(name)' belong to nothing")
      }
      guard record.u32(4) <= 1, record.get(32, as: UInt64.self) == 0 else {
        throw .reservedNotZero(path: path, part: "section table")
      }
      if entries.contains(where: { $0.name == name }) { throw .sectionTwice(path: path, section: name) }
      let known = Section(rawValue: name)
      if known == nil && record.u32(4) & 1 == 1 { throw .unknownSection(path: path, section: name) }
      if let known, record.u32(24) < known.stride {
        throw .strideTooSmall(path: path, section: name, stride: record.u32(24))
      }
      entries.append(
        Entry(name: name, offset: offset, count: recordCount, stride: record.u32(24), sum: record.get(28)))
      position = offset + length
    }
    guard position == bytes.count else {
      throw .badSectionTable(path: path, rule: "bytes after the last section belong to nothing")
    }
    self.entries = entries
  }

  func entry(_ section: Section, path: String) throws(ArchiveError) -> Entry {
    guard let entry = entries.first(where: { $0.name == section.rawValue }) else {
      throw .sectionMissing(path: path, section: section.rawValue)
    }
    return entry
  }

  /// The first section whose checksum does not hold; nil when the damage is elsewhere.
  static func damagedSection(in bytes: [UInt8], path: String) -> String? {
    bytes.withUnsafeBytes { buffer in
      guard let table = try? SectionTable(buffer, path: path) else { return "section table of the index" }
      let damaged = table.entries.first { entry in
        CRC32C.of(UnsafeRawBufferPointer(rebasing: buffer[entry.offset..<entry.offset + entry.byteCount])) != entry.sum
      }
      return damaged.map { Section(rawValue: $0.name)?.title ?? "section '\($0.name)'" }
    }
  }
}
