import Foundation
import Testing
import TestSupport
import Tokenization

@testable import Blip3o

@Suite struct StreamedTextTests {
  /// What is handed on piece by piece is what decoding all at once gives, however characters are cut, and whatever cannot be one.
  @Test func piecesAddUpToTheDecodedText() throws {
    let path = try Goldens("tiny").checkpoint + "/tokenizer.json"
    let tokenizer = try Tokenizer(tokenizerJSON: [UInt8](#require(FileManager.default.contents(atPath: path))))
    var generator = SeededGenerator(3)
    let text = Array("日本 é 🦊 \u{10FFFF} a\u{301} ".utf8)
    for round in 0..<400 {
      // Tokens of one byte each spell characters in pieces; random ones spell nonsense.
      let ids: [Int] =
        round % 2 == 0
        ? (0..<40).map { _ in Int(generator.next() % UInt64(tokenizer.vocabularySize)) }
        : (0..<40).map { _ in
          let byte =
            generator.next() % 4 == 0
            ? UInt8(truncatingIfNeeded: generator.next()) : text[Int(generator.next() % UInt64(text.count))]
          return (0..<tokenizer.vocabularySize).first { tokenizer.bytes(of: $0, skipSpecial: true) == [byte] }!
        }
      var pieces = ""
      var streamed = StreamedText(tokenizer) { pieces += $0 }
      for id in ids { streamed.append(id) }
      streamed.finish()
      let whole = tokenizer.decode(ids, skipSpecial: true)
      #expect(Array(streamed.all.utf8) == Array(whole.utf8), "\(ids)")
      #expect(pieces == streamed.all)
    }
  }
}
