/// The tokenizer as other programs' files state it: texts of tokens, and of merges.
extension Tokenizer {
  /// The text of each id as vocabulary files write it: an added token as it stands, any other in the byte alphabet. Nil for an id that
  /// is no token.
  public var vocabularyTexts: [[UInt8]?] {
    var result = (0..<texts.count).map { texts[$0].isEmpty ? nil : Self.alphabetText(texts[$0]) }
    for token in addedTokens { result[token.id] = Array(token.text.utf8) }
    return result
  }

  /// The pairs that merge, in order of rank, as `merges.txt` writes them: two texts in the byte alphabet with a space between.
  public var mergeTexts: [[UInt8]] {
    encoder.merges.slots.filter { $0.rank != MergeTable.emptyRank }.sorted { $0.rank < $1.rank }.map {
      Self.alphabetText(texts[Int($0.left)]) + [0x20] + Self.alphabetText(texts[Int($0.right)])
    }
  }

  private static let alphabet = ByteAlphabet.scalars.map { Array(UTF8.encode($0)!) }

  private static func alphabetText(_ bytes: ArraySlice<UInt8>) -> [UInt8] { bytes.flatMap { alphabet[Int($0)] } }
}
