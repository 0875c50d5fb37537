import Tensors

/// The tokenizer as a file that needs no building. Format: formats/bantam.md, section 10.
extension Tokenizer {
  /// The name of the file inside a `.bantam` file.
  public static let tableName = "tokenizer.table"

  private static let magic = Array("BTOKTBL1".utf8)

  /// The bytes of the table.
  public var table: [UInt8] {
    var bytes = Self.magic
    func put(_ number: UInt32) { withUnsafeBytes(of: number.littleEndian) { bytes += $0 } }
    func put(text: some Collection<UInt8>) {
      bytes += text
      bytes += repeatElement(0, count: (4 - text.count % 4) % 4)
    }
    [texts.count, encoder.merges.slots.count, addedTokens.count, texts.bytes.count].forEach { put(UInt32($0)) }
    encoder.byteTokens.forEach(put)
    texts.offsets.forEach(put)
    put(text: texts.bytes)
    for merge in encoder.merges.slots { [merge.left, merge.right, merge.rank, merge.result].forEach(put) }
    for token in addedTokens {
      [UInt32(token.id), token.isSpecial ? 1 : 0, UInt32(token.text.utf8.count)].forEach(put)
      put(text: Array(token.text.utf8))
    }
    return bytes
  }

  /// Reads a table.
  /// - Throws: ``TokenizerError/malformed(file:rule:)``.
  public init(table bytes: [UInt8]) throws(TokenizerError) {
    var reader = TableReader(bytes)
    guard reader.bytes(8) == Self.magic[...] else {
      throw .malformed(file: Self.tableName, rule: "it does not begin with its mark")
    }
    guard let counts = reader.numbers(4) else { throw TableReader.cut }
    let (tokenCount, slotCount, addedCount) = (Int(counts[0]), Int(counts[1]), Int(counts[2]))
    guard let byteTokens = reader.numbers(256), let offsets = reader.numbers(tokenCount + 1),
      let text = reader.padded(Int(counts[3])), let slots = reader.merges(slotCount)
    else { throw TableReader.cut }
    guard let texts = TokenTexts(offsets: offsets, bytes: Array(text)),
      let merges = MergeTable(slots: slots, vocabularySize: tokenCount),
      byteTokens.allSatisfy({ $0 < tokenCount })
    else { throw .malformed(file: Self.tableName, rule: "its ids or places do not fit together") }
    var added: [AddedToken] = []
    for _ in 0..<addedCount {
      guard let head = reader.numbers(3), let text = reader.padded(Int(head[2])) else { throw TableReader.cut }
      guard head[0] < tokenCount, let text = String(validating: text, as: UTF8.self), !text.isEmpty,
        text.utf8.count <= AddedTokenIndex.byteLimit
      else {
        throw .malformed(file: Self.tableName, rule: "an added token has no id, or no text that may be one")
      }
      added.append(AddedToken(id: Int(head[0]), text: text, isSpecial: head[1] == 1))
    }
    guard reader.isAtEnd else { throw .malformed(file: Self.tableName, rule: "bytes follow its end") }
    self.init(
      texts: texts, encoder: BytePairEncoder(byteTokens: byteTokens, merges: merges), addedTokens: added)
  }
}

/// Takes little-endian numbers and bytes; nil where the file ends before.
private struct TableReader {
  static let cut = TokenizerError.malformed(file: Tokenizer.tableName, rule: "it is cut off")

  private let all: [UInt8]
  private var position = 0

  init(_ bytes: [UInt8]) { all = bytes }

  var isAtEnd: Bool { position == all.count }

  mutating func bytes(_ count: Int) -> ArraySlice<UInt8>? {
    guard count >= 0, count <= all.count - position else { return nil }
    defer { position += count }
    return all[position..<position + count]
  }

  /// Bytes up to the next multiple of 4.
  mutating func padded(_ count: Int) -> ArraySlice<UInt8>? {
    bytes((count + 3) / 4 * 4)?.prefix(count)
  }

  mutating func numbers(_ count: Int) -> [UInt32]? {
    guard let slice = bytes(4 * count) else { return nil }
    return slice.withUnsafeBytes { raw in
      (0..<count).map { UInt32(littleEndian: raw.loadUnaligned(fromByteOffset: 4 * $0, as: UInt32.self)) }
    }
  }

  mutating func merges(_ count: Int) -> [MergeTable.Merge]? {
    guard let slice = bytes(16 * count) else { return nil }
    return slice.withUnsafeBytes { raw in
      func number(_ index: Int) -> UInt32 {
        UInt32(littleEndian: raw.loadUnaligned(fromByteOffset: 4 * index, as: UInt32.self))
      }
      return (0..<count).map {
        .init(left: number(4 * $0), right: number(4 * $0 + 1), rank: number(4 * $0 + 2), result: number(4 * $0 + 3))
      }
    }
  }
}
