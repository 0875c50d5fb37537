import JSONText
import Tensors

extension Tokenizer {
  /// Reads whichever files there are: the table of a `.bantam` file, `tokenizer.json`, else `vocab.json`, `merges.txt` and `added_tokens.json`.
  /// - Parameter file: gives the bytes of a file by name, or nil.
  /// - Throws: ``TokenizerError``, or what reading throws.
  public init(files file: (String) throws -> [UInt8]?) throws {
    if let table = try file(Self.tableName) {
      try self.init(table: table)
      return
    }
    if let json = try file("tokenizer.json") {
      try self.init(tokenizerJSON: json)
      return
    }
    guard let vocabulary = try file("vocab.json"), let merges = try file("merges.txt") else {
      throw TokenizerError.missing(file: "tokenizer.json")
    }
    try self.init(vocabularyJSON: vocabulary, merges: merges, addedJSON: try file("added_tokens.json"))
  }

  /// Reads the tokenizers library's file.
  /// - Throws: ``TokenizerError``.
  public init(tokenizerJSON json: [UInt8], file: String = "tokenizer.json") throws(TokenizerError) {
    var reader = TokenizerFileReader(file: file)
    do { try reader.read(json) } catch let error as JSONError { throw .json(file: file, error) } catch {
      throw error as? TokenizerError ?? .malformed(file: file, rule: "\(error)")
    }
    try self.init(
      vocabulary: reader.vocabulary, merges: reader.merges, addedTokens: reader.addedTokens, file: file)
  }

  /// Reads the files of the slow tokenizer. Added tokens whose text stands between `<|` and `|>` or in brackets are special.
  init(vocabularyJSON: [UInt8], merges text: [UInt8], addedJSON: [UInt8]?) throws {
    let vocabulary = try TokenizerFileReader.table(vocabularyJSON, file: "vocab.json")
    let added = try addedJSON.map { try TokenizerFileReader.table($0, file: "added_tokens.json") } ?? []
    var merges: [(left: [UInt8], right: [UInt8])] = []
    for (number, line) in text.split(separator: 0x0A).enumerated() {
      if number == 0, line.starts(with: Array("#version".utf8)) { continue }
      let parts = line.split(separator: 0x20)
      guard parts.count == 2 else {
        throw TokenizerError.malformed(file: "merges.txt", rule: "line \(number + 1) is not a pair")
      }
      merges.append((Array(parts[0]), Array(parts[1])))
    }
    // The files do not say which are special: of Qwen2.5's added tokens these eight are not.
    let plain: Set<String> = [
      "<tool_call>", "</tool_call>", "<|fim_prefix|>", "<|fim_middle|>", "<|fim_suffix|>", "<|fim_pad|>",
      "<|repo_name|>", "<|file_sep|>",
    ]
    try self.init(
      vocabulary: vocabulary, merges: merges,
      addedTokens: added.map { entry in
        let text = String(decoding: entry.text, as: UTF8.self)
        return AddedToken(id: entry.id, text: text, isSpecial: !plain.contains(text))
      }, file: "vocab.json")
  }
}

/// Takes what encoding needs out of a tokenizer.json, and refuses what would need something else.
private struct TokenizerFileReader {
  let file: String
  var vocabulary: [(text: [UInt8], id: Int)] = []
  var merges: [(left: [UInt8], right: [UInt8])] = []
  var addedTokens: [Tokenizer.AddedToken] = []

  init(file: String) { self.file = file }

  private func unsupported(_ what: String) -> TokenizerError { .unsupported(file: file, what: what) }

  /// A table of ids by text.
  static func table(_ json: [UInt8], file: String) throws(TokenizerError) -> [(text: [UInt8], id: Int)] {
    do {
      var scanner = try JSONScanner(json)
      let table = try table(&scanner)
      try scanner.finish()
      return table
    } catch { throw .json(file: file, error) }
  }

  private static func table(_ scanner: inout JSONScanner) throws(JSONError) -> [(text: [UInt8], id: Int)] {
    var table: [(text: [UInt8], id: Int)] = []
    var object = try scanner.beginObject()
    while let text = try scanner.nextKey(&object) { table.append((text, try scanner.unsignedInteger())) }
    return table
  }

  mutating func read(_ json: [UInt8]) throws {
    var scanner = try JSONScanner(json)
    var root = try scanner.beginObject()
    while let key = try scanner.nextKey(&root) {
      switch String(decoding: key, as: UTF8.self) {
      case "added_tokens": try readAdded(&scanner)
      case "model": try readModel(&scanner)
      case "normalizer":
        guard try typeName(&scanner) == "NFC" else { throw unsupported("the normaliser") }
      case "pre_tokenizer": try checkSplit(&scanner)
      default: try scanner.skipValue()
      }
    }
    try scanner.finish()
    guard !vocabulary.isEmpty else { throw TokenizerError.malformed(file: file, rule: "there is no vocabulary") }
  }

  private mutating func readAdded(_ scanner: inout JSONScanner) throws {
    var array = try scanner.beginArray()
    while try scanner.nextElement(&array) {
      var (id, text, isSpecial) = (-1, "", false)
      var object = try scanner.beginObject()
      while let key = try scanner.nextKey(&object) {
        switch String(decoding: key, as: UTF8.self) {
        case "id": id = try scanner.unsignedInteger()
        case "content": text = String(decoding: try scanner.string(), as: UTF8.self)
        case "special": isSpecial = try scanner.boolean()
        case "single_word", "lstrip", "rstrip", "normalized":
          if try scanner.boolean() {
            throw unsupported("an added token that is stripped, normalised or a word of its own")
          }
        default: try scanner.skipValue()
        }
      }
      guard id >= 0 else { throw TokenizerError.malformed(file: file, rule: "an added token has no id") }
      addedTokens.append(.init(id: id, text: text, isSpecial: isSpecial))
    }
  }

  private mutating func readModel(_ scanner: inout JSONScanner) throws {
    var object = try scanner.beginObject()
    while let key = try scanner.nextKey(&object) {
      switch String(decoding: key, as: UTF8.self) {
      case "type":
        guard try scanner.string() == Array("BPE".utf8) else { throw unsupported("the model") }
      case "vocab": vocabulary = try Self.table(&scanner)
      case "merges": try readMerges(&scanner)
      case "byte_fallback", "ignore_merges":
        if try scanner.boolean() { throw unsupported("'\(String(decoding: key, as: UTF8.self))'") }
      default: try scanner.skipValue()
      }
    }
  }

  /// Pairs as lists, or as texts with a space between.
  private mutating func readMerges(_ scanner: inout JSONScanner) throws {
    var array = try scanner.beginArray()
    while try scanner.nextElement(&array) {
      if try scanner.peek() == UInt8(ascii: "\"") {
        let parts = try scanner.string().split(separator: 0x20)
        guard parts.count == 2 else { throw TokenizerError.malformed(file: file, rule: "a merge is not a pair") }
        merges.append((Array(parts[0]), Array(parts[1])))
      } else {
        var texts: [[UInt8]] = []
        var pair = try scanner.beginArray()
        while try scanner.nextElement(&pair), texts.count < 3 { texts.append(try scanner.string()) }
        guard texts.count == 2 else { throw TokenizerError.malformed(file: file, rule: "a merge is not a pair") }
        merges.append((texts[0], texts[1]))
      }
    }
  }

  /// The member `type` of an object, its other members passed over; nil for null.
  private func typeName(_ scanner: inout JSONScanner) throws -> String? {
    guard try scanner.peek() == UInt8(ascii: "{") else {
      try scanner.skipValue()
      return nil
    }
    var name: String?
    var object = try scanner.beginObject()
    while let key = try scanner.nextKey(&object) {
      if key == Array("type".utf8) {
        name = String(decoding: try scanner.string(), as: UTF8.self)
      } else {
        try scanner.skipValue()
      }
    }
    return name
  }

  /// A sequence of Qwen2's split and the byte level.
  private func checkSplit(_ scanner: inout JSONScanner) throws {
    var hasPattern = false
    var object = try scanner.beginObject()
    while let key = try scanner.nextKey(&object) {
      guard key == Array("pretokenizers".utf8) else {
        try scanner.skipValue()
        continue
      }
      var array = try scanner.beginArray()
      while try scanner.nextElement(&array) {
        var member = try scanner.beginObject()
        while let key = try scanner.nextKey(&member) {
          guard key == Array("pattern".utf8) else {
            try scanner.skipValue()
            continue
          }
          var pattern = try scanner.beginObject()
          while let _ = try scanner.nextKey(&pattern) {
            hasPattern = try scanner.string() == Array(QwenSplitPattern.text.utf8)
          }
        }
      }
    }
    guard hasPattern else { throw unsupported("the split rule") }
  }
}
