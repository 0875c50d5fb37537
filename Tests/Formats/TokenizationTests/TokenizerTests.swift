import Foundation
import JSONText
import ModelSources
import Samples
import Testing
import TestSupport

@testable import Tokenization

/// The tokenizer of the tiny sample, and what the tokenizers library makes of it.
enum Golden {
  static let folder: TemporaryFolder = {
    let folder = TemporaryFolder()
    let scale = SampleScale.all.first { $0.name == "tiny" }!
    try! SampleWriter(scale: scale, seed: 0, components: ["queries"]).write(to: folder["tiny"], resources: Resources())
    return folder
  }()

  static let tokenizer = try! Tokenizer(tokenizerJSON: folder.bytes(of: "tiny/tokenizer.json"))

  static let fixture: JSONValue = {
    let url = Bundle.module.url(forResource: "Fixtures/tokenizer", withExtension: "json")!
    return try! ConfigJSON.parse([UInt8](Data(contentsOf: url)))
  }()
}

@Suite struct TokenizerTests {
  @Test func idsAndDecodingsAreThoseOfTheTokenizersLibrary() throws {
    let rows = try #require(Golden.fixture["strings"]?.array)
    #expect(rows.count > 60)
    for row in rows {
      let text = row["text"]!.string!
      let ids = row["ids"]!.array!.map { $0.int! }
      #expect(Golden.tokenizer.encode(text) == ids, "\(text.debugDescription)")
      #expect(Golden.tokenizer.decode(ids) == row["decoded"]!.string!)
      #expect(Golden.tokenizer.decode(ids, skipSpecial: true) == row["decoded_skip_special"]!.string!)
    }
  }

  /// The table of a native file gives the same tokenizer, at every length that is not its own an error.
  @Test func theTableGivesTheSame() throws {
    let table = Golden.tokenizer.table
    let read = try Tokenizer(table: table)
    #expect(read.table == table)
    for row in Golden.fixture["strings"]!.array! {
      let text = row["text"]!.string!
      #expect(read.encode(text) == Golden.tokenizer.encode(text))
      #expect(read.decode(read.encode(text)) == row["decoded"]!.string!)
    }
    for length in stride(from: 0, to: table.count, by: 61) {
      #expect(throws: TokenizerError.self) { try Tokenizer(table: Array(table.prefix(length))) }
    }
    #expect(throws: TokenizerError.self) { try Tokenizer(table: table + [0]) }
  }

  /// Whatever a table holds, reading it ends in a tokenizer or an error, and encoding with it ends.
  @Test func hostileTablesDoNotTrap() {
    var generator = SeededGenerator(4)
    let table = Golden.tokenizer.table
    for _ in 0..<2000 {
      var bytes = table
      for _ in 0..<3 {
        // Mostly in the head, where the counts are.
        let limit = generator.next() % 2 == 0 ? 64 : UInt64(bytes.count)
        bytes[Int(generator.next() % limit)] = UInt8(truncatingIfNeeded: generator.next())
      }
      if let read = try? Tokenizer(table: bytes) { _ = read.decode(read.encode("hello <|im_end|> world 12")) }
    }
  }

  @Test func theSlowTokenizersFilesGiveTheSame() throws {
    let slow = try Tokenizer { name in
      ["tokenizer.json", Tokenizer.tableName].contains(name) ? nil : Golden.folder.bytes(of: "tiny/" + name)
    }
    for row in Golden.fixture["strings"]!.array! {
      let text = row["text"]!.string!
      #expect(slow.encode(text) == Golden.tokenizer.encode(text))
      #expect(slow.decode(slow.encode(text), skipSpecial: true) == row["decoded_skip_special"]!.string!)
    }
    #expect(slow.vocabularySize == Golden.tokenizer.vocabularySize)
  }

  @Test func chatsAreThoseOfTheTemplate() throws {
    for chat in Golden.fixture["chats"]!.array! {
      let messages = chat["messages"]!.array!.map { message -> ChatTemplate.Message in
        let content = message["content"]!
        let text =
          content.string
          ?? content.array!.map { $0["type"] == "image" ? ChatTemplate.image : $0["text"]!.string! }.joined()
        return .init(role: message["role"]!.string!, content: text)
      }
      let text = ChatTemplate.text(messages, addsGenerationPrompt: chat["add_generation_prompt"]!.bool!)
      #expect(text == chat["text"]!.string!)
    }
  }

  @Test func longPiecesTakeNoLongerThanTheyMust() {
    // A single piece of 200,000 letters: quadratic work would take minutes.
    let text = String(repeating: "lanternharbour", count: 15_000)
    let ids = Golden.tokenizer.encode(text)
    #expect(Golden.tokenizer.decode(ids) == text)
  }

  /// Merges that were chosen to fall on one slot, and tables that are too full, make searches long: refused.
  @Test func tablesThatMakeSearchesLongAreRefused() throws {
    func pairs(_ count: Int, slots: Int, crowded: Bool) -> [MergeTable.Merge] {
      var found: [MergeTable.Merge] = []
      for left in UInt32(0)..<4096 {
        for right in UInt32(0)..<4096 where found.count < count {
          let key = (UInt64(left) << 32 | UInt64(right)) &* 0x9E37_79B9_7F4A_7C15
          guard !crowded || Int(key >> 32) & (slots - 1) == 5 else { continue }
          found.append(.init(left: left, right: right, rank: UInt32(found.count), result: 0))
        }
      }
      return found
    }
    let sound = try #require(MergeTable(pairs(2000, slots: 4096, crowded: false)))
    #expect(MergeTable(slots: sound.slots, vocabularySize: 4096) == sound)
    let crowd = pairs(2000, slots: 4096, crowded: true)
    #expect(crowd.count == 2000)
    #expect(MergeTable(crowd) == nil)
    let empty = MergeTable.Merge(left: 0, right: 0, rank: MergeTable.emptyRank, result: 0)
    let inARow = crowd + [MergeTable.Merge](repeating: empty, count: 4096 - crowd.count)
    #expect(MergeTable(slots: inARow, vocabularySize: 4096) == nil)
    // More than half full, without long runs.
    let full = (0..<4096).map { $0 % 3 == 0 ? empty : crowd[$0 % 2000] }
    #expect(MergeTable(slots: full, vocabularySize: 4096) == nil)
  }

  /// Of added tokens the longest at a place is taken, whatever their number and whatever they have in common.
  @Test func manyAddedTokensOfOneBeginning() throws {
    let tiny = Golden.tokenizer
    let first = tiny.vocabularySize
    let tokens = (0..<200_000).map { Tokenizer.AddedToken(id: first + $0, text: "<<<<<\($0)", isSpecial: false) }
    let bytes = (0..<first).map { Array(tiny.bytes(of: $0, skipSpecial: false)) }
    let many = Tokenizer(
      texts: TokenTexts(bytes + tokens.map { Array($0.text.utf8) }), encoder: tiny.encoder, addedTokens: tokens)
    #expect(many.encode("<<<<<17<<<<<199999") == [first + 17, first + 199_999])
    // No place of this begins one: every place is tried.
    let text = String(repeating: "<<<<<x", count: 20_000)
    #expect(many.decode(many.encode(text)) == text)
  }

  @Test func anyTextComesBackInNFC() {
    var generator = SeededGenerator(60)
    for _ in 0..<300 {
      let text = String(
        String.UnicodeScalarView((0..<20).compactMap { _ in Unicode.Scalar(UInt32(generator.next() % 0x3000)) }))
      let decoded = Golden.tokenizer.decode(Golden.tokenizer.encode(text))
      #expect(Array(decoded.utf8) == Array(Normalization.composed(text).utf8))
    }
  }

  static let refused: [(rule: String, change: @Sendable (String) -> String)] = [
    ("another model", { $0.replacingOccurrences(of: "\"BPE\"", with: "\"Unigram\"") }),
    ("another normaliser", { $0.replacingOccurrences(of: "\"NFC\"", with: "\"NFKC\"") }),
    ("another split", { $0.replacingOccurrences(of: "(?i:'s|", with: "(?i:'x|") }),
    ("byte fallback", { $0.replacingOccurrences(of: "\"byte_fallback\": false", with: "\"byte_fallback\": true") }),
    ("stripping", { $0.replacingOccurrences(of: "\"lstrip\": false", with: "\"lstrip\": true") }),
    ("a byte without a token", { $0.replacingOccurrences(of: "\"!\": 0,", with: "") }),
    ("an id far away", { $0.replacingOccurrences(of: "\"!\": 0,", with: "\"!\": 4000000000,") }),
    ("a negative id", { $0.replacingOccurrences(of: "\"!\": 0,", with: "\"!\": -1,") }),
    ("a token twice", { $0.replacingOccurrences(of: "\"!\": 0,", with: "\"!\": 0,\"!\": 0,") }),
    ("a merge of three", { $0.replacingOccurrences(of: "\"merges\": [", with: "\"merges\": [[\"a\",\"b\",\"c\"],") }),
    ("a merge of no tokens", { $0.replacingOccurrences(of: "\"merges\": [", with: "\"merges\": [[\"!!\",\"??\"],") }),
    ("no vocabulary", { _ in "{}" }), ("not JSON", { _ in "[" }), ("cut", { String($0.dropLast(100)) }),
  ]

  @Test(arguments: refused.indices) func refusesEachBadFile(index: Int) throws {
    let (rule, change) = Self.refused[index]
    let text = String(decoding: Golden.folder.bytes(of: "tiny/tokenizer.json"), as: UTF8.self)
    let changed = change(text)
    #expect(changed != text, "\(rule)")
    #expect(throws: TokenizerError.self, "\(rule)") { try Tokenizer(tokenizerJSON: Array(changed.utf8)) }
  }

  @Test func theSplitterFollowsTheOrderOfItsAlternatives() {
    func pieces(_ text: String) -> [String] {
      let scalars = Array(text.unicodeScalars)
      var start = 0
      return QwenSplitter.pieceEnds(scalars).map { end in
        defer { start = end }
        return String(String.UnicodeScalarView(scalars[start..<end]))
      }
    }
    #expect(pieces("It's we'LL x'y") == ["It", "'s", " we", "'LL", " x", "'y"])
    #expect(pieces("a  b\n\n c") == ["a", " ", " b", "\n\n", " c"])
    #expect(pieces("12 3") == ["1", "2", " ", "3"])
    #expect(pieces(" !?\n\nx") == [" !?\n\n", "x"])
    #expect(pieces("x   ") == ["x", "   "])
    #expect(pieces(" \n \n  y") == [" \n \n", " ", " y"])
  }
}
