import JSONText
import Tensors

/// Text to token ids and back: byte-level BPE with added tokens, NFC and Qwen2's split.
///
/// Source: the tokenizers library's documentation of BPE, ByteLevel and added tokens; Qwen2's tokenizer.json.
public struct Tokenizer: Sendable {
  /// A token that is cut out of the text before anything else.
  public struct AddedToken: Sendable, Equatable {
    public let id: Int
    public let text: String
    /// Whether decoding may leave it out.
    public let isSpecial: Bool
  }

  public let addedTokens: [AddedToken]
  /// One more than the highest id.
  public var vocabularySize: Int { texts.count }
  /// The bytes of each token; empty where an id has none.
  let texts: TokenTexts
  let encoder: BytePairEncoder
  private let addedIndex: AddedTokenIndex
  private let specialIDs: Set<Int>

  /// - Parameters:
  ///   - vocabulary: token texts in the byte alphabet, with ids.
  ///   - merges: pairs of token texts, in order of rank.
  /// - Throws: ``TokenizerError`` when a byte has no token, or a merge names no token.
  init(
    vocabulary: [(text: [UInt8], id: Int)], merges: [(left: [UInt8], right: [UInt8])], addedTokens: [AddedToken],
    file: String
  ) throws(TokenizerError) {
    func bad(_ rule: String) -> TokenizerError { .malformed(file: file, rule: rule) }
    let highest = max(vocabulary.map(\.id).max() ?? -1, addedTokens.map(\.id).max() ?? -1)
    // Ids are dense in every real vocabulary; a hostile one may name any.
    guard highest >= 0, highest < 4 * (vocabulary.count + addedTokens.count) + 1024 else {
      throw bad("an id is far beyond the number of tokens: \(highest)")
    }
    var ids: [[UInt8]: UInt32] = [:]
    ids.reserveCapacity(vocabulary.count)
    var tokenBytes = [[UInt8]](repeating: [], count: highest + 1)
    for (text, id) in vocabulary {
      ids[text] = UInt32(id)
      tokenBytes[id] = ByteAlphabet.decode(text) ?? text
    }
    var byteTokens: [UInt32] = []
    for (byte, scalar) in ByteAlphabet.scalars.enumerated() {
      guard let id = ids[Array(String(scalar).utf8)] else { throw bad("byte \(byte) has no token") }
      byteTokens.append(id)
    }
    var pairs: [MergeTable.Merge] = []
    pairs.reserveCapacity(merges.count)
    for (rank, merge) in merges.enumerated() {
      guard let left = ids[merge.left], let right = ids[merge.right], let result = ids[merge.left + merge.right] else {
        throw bad(
          "merge \(rank) names a token that the vocabulary lacks: '\(String(utf8: merge.left))' '\(String(utf8: merge.right))'"
        )
      }
      pairs.append(.init(left: left, right: right, rank: UInt32(rank), result: result))
    }
    for token in addedTokens {
      guard !token.text.isEmpty else { throw bad("an added token is empty") }
      guard token.text.utf8.count <= AddedTokenIndex.byteLimit else {
        throw bad("an added token is longer than \(AddedTokenIndex.byteLimit) bytes")
      }
      let bytes = Array(token.text.utf8)
      tokenBytes[token.id] = ByteAlphabet.decode(bytes) ?? bytes
    }
    guard let table = MergeTable(pairs) else { throw bad("its merges crowd one place of a table: no real ones do") }
    self.init(
      texts: TokenTexts(tokenBytes), encoder: BytePairEncoder(byteTokens: byteTokens, merges: table),
      addedTokens: addedTokens)
  }

  /// - Parameter addedTokens: with ids that `texts` has; none is empty.
  init(texts: TokenTexts, encoder: BytePairEncoder, addedTokens: [AddedToken]) {
    self.texts = texts
    self.encoder = encoder
    self.addedTokens = addedTokens
    addedIndex = AddedTokenIndex(addedTokens.map { (Array($0.text.utf8), UInt32($0.id)) })
    specialIDs = Set(addedTokens.filter(\.isSpecial).map(\.id))
  }

  /// The id of an added token, or nil.
  public func id(ofAdded text: String) -> Int? {
    addedTokens.first { $0.text.utf8.elementsEqual(text.utf8) }?.id
  }

  /// The ids of a text. Added tokens are cut out first, the longest at each place; the rest is normalised to NFC and split.
  public func encode(_ text: String) -> [Int] {
    let bytes = Array(text.utf8)
    var tokens: [UInt32] = []
    var start = 0
    var position = 0
    while position < bytes.count {
      guard let token = addedIndex.longest(in: bytes, at: position) else {
        position += 1
        continue
      }
      encodePlain(bytes[start..<position], into: &tokens)
      tokens.append(token.id)
      position += token.byteCount
      start = position
    }
    encodePlain(bytes[start...], into: &tokens)
    return tokens.map(Int.init)
  }

  private func encodePlain(_ bytes: ArraySlice<UInt8>, into tokens: inout [UInt32]) {
    guard !bytes.isEmpty else { return }
    let text = String(decoding: bytes, as: UTF8.self)
    // ASCII is its own normal form.
    let normal = bytes.allSatisfy { $0 < 0x80 } ? text : Normalization.composed(text)
    let scalars = Array(normal.unicodeScalars)
    var start = 0
    for end in QwenSplitter.pieceEnds(scalars) {
      var piece: [UInt8] = []
      for scalar in scalars[start..<end] { piece += UTF8.encode(scalar)! }
      encoder.encode(piece, into: &tokens)
      start = end
    }
  }

  /// The bytes of an id; empty for ids that are no token, and for special ones where those are left out.
  public func bytes(of id: Int, skipSpecial: Bool = false) -> ArraySlice<UInt8> {
    (0..<texts.count).contains(id) && !(skipSpecial && specialIDs.contains(id)) ? texts[id] : []
  }

  /// The text of ids. Bytes that are not UTF-8 become U+FFFD.
  public func decode(_ ids: [Int], skipSpecial: Bool = false) -> String {
    var bytes: [UInt8] = []
    for id in ids { bytes += self.bytes(of: id, skipSpecial: skipSpecial) }
    return String(decoding: bytes, as: UTF8.self)
  }
}
