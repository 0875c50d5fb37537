import GGUF
import ModelSources
import Tensors
import Tokenization

/// A tokenizer as llama.cpp takes it: a text and a kind for each row of the embedding, and the merges.
///
/// Source: llama.cpp, `convert_hf_to_gguf.py`, `get_vocab_base` and `does_token_look_special`.
struct GGUFVocabulary {
  /// Source: gguf-py, `constants.py`, `TokenType`.
  private enum Kind: Int32 {
    case normal = 1
    case control = 3
    case userDefined = 4
    case unused = 5
  }

  /// Rows of the embedding.
  let rows: Int
  private let tokenizer: Tokenizer
  private var texts: [[UInt8]] = []
  private var kinds: [Int32] = []
  let notes: [String]

  /// - Parameter rows: of the embedding; ids that are no token are filled up as unused ones.
  /// - Throws: ``ExportError/vocabulary(path:rule:)``, or what reading the tokenizer's files throws.
  init(_ source: ModelSource, rows: Int) throws {
    let tokenizer = try Tokenizer(files: source.companion)
    (self.rows, self.tokenizer) = (rows, tokenizer)
    func bad(_ rule: String) -> ExportError { .vocabulary(path: source.path, rule: rule) }
    guard tokenizer.vocabularySize <= rows else {
      throw bad("it has \(tokenizer.vocabularySize) tokens, the embedding \(rows) rows")
    }
    let known = tokenizer.vocabularyTexts
    let added = Dictionary(tokenizer.addedTokens.map { ($0.id, $0) }) { _, last in last }
    texts.reserveCapacity(rows)
    kinds.reserveCapacity(rows)
    var seen: Set<[UInt8]> = []
    for id in 0..<rows {
      let text = id < known.count ? known[id] : nil
      let kind: Kind
      if let token = added[id] {
        kind = token.isSpecial || Self.looksSpecial(token.text) ? .control : .userDefined
      } else {
        kind = text == nil ? .unused : .normal
      }
      texts.append(text ?? Array("[PAD\(id)]".utf8))
      kinds.append(kind.rawValue)
      guard seen.insert(texts[id]).inserted else {
        throw bad("two tokens have the text '\(String(decoding: texts[id], as: UTF8.self))'")
      }
    }
    let padded = kinds.count { $0 == Kind.unused.rawValue }
    notes = padded == 0 ? [] : ["\(padded) rows of the embedding belong to no token: filled up with unused ones"]
  }

  /// The id of an added token; nil for a text that is none.
  func id(ofAdded text: String) -> Int? { tokenizer.id(ofAdded: text) }

  /// Whether llama.cpp's converter takes an added token for a special one, whatever its file says.
  private static func looksSpecial(_ text: String) -> Bool { text.hasPrefix("<|") && text.hasSuffix("|>") }

  func pairs(_ output: LayoutOutput) -> [GGUFPair] {
    [
      GGUFPair("tokenizer.ggml.model", string: Array(output.tokenizer.model.utf8)),
      GGUFPair("tokenizer.ggml.pre", string: Array(output.tokenizer.split.utf8)),
      GGUFPair("tokenizer.ggml.tokens", strings: texts), GGUFPair("tokenizer.ggml.token_type", int32s: kinds),
      GGUFPair("tokenizer.ggml.merges", strings: tokenizer.mergeTexts),
    ]
  }
}
