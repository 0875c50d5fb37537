import JSONText
import Kernels
import Tensors

/// The table that may be edited: a JSON object, and where the table before it stands.
///
/// Format: formats/bantam.md, section 6.
struct MetadataTable {
  static let magic = Array("BTMMETA1".utf8)
  static let headerByteCount = 64

  var previous: Superblock.Table?
  var json: JSONValue

  func encoded() -> [UInt8] {
    let text = Array(json.text().utf8)
    var out = LittleEndianWriter()
    out.put(bytes: Self.magic)
    out.put(UInt64(previous?.offset ?? 0))
    out.put(UInt64(previous?.byteCount ?? 0))
    out.put(bytes: previous?.digest.bytes ?? [UInt8](repeating: 0, count: 32))
    out.put(UInt64(text.count))
    out.put(bytes: text)
    return out.bytes
  }

  init(previous: Superblock.Table?, json: JSONValue) {
    self.previous = previous
    self.json = json
  }

  /// - Parameter bytes: the whole table, its digest checked.
  /// - Parameter limit: where the previous table must have ended.
  init(_ bytes: [UInt8], limit: Int, path: String) throws(ArchiveError) {
    guard bytes.count >= Self.headerByteCount, bytes.starts(with: Self.magic) else {
      throw .badMetadata(path: path, rule: "it does not start with its mark")
    }
    let (offset, count, length) = bytes.withUnsafeBytes { buffer in
      let record = LittleEndianRecord(table: buffer, start: 0)
      return (record.size(8), record.size(16), record.size(56))
    }
    guard length == bytes.count - Self.headerByteCount else {
      throw .badMetadata(path: path, rule: "its JSON text does not fill it")
    }
    guard let offset, let count, !offset.addingReportingOverflow(count).overflow, offset + count <= limit,
      count <= Limits.configByteCount, offset == 0 || offset >= 2 * Superblock.byteCount
    else { throw .badMetadata(path: path, rule: "the table before it lies outside the file") }
    previous =
      offset == 0
      ? nil : Superblock.Table(offset: offset, byteCount: count, digest: Digest(Array(bytes[24..<56])))
    do { json = try ConfigJSON.parse(Array(bytes[Self.headerByteCount...])) } catch {
      throw .badMetadata(path: path, rule: error.explanation.problem)
    }
    guard json.object != nil else { throw .badMetadata(path: path, rule: "it is not a JSON object") }
  }
}
