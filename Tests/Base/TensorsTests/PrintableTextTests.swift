import Foundation
import Tensors
import Testing
import TestSupport

@Suite struct PrintableTextTests {
  @Test func whatSteersHidesOrTurnsIsEscaped() {
    for scalar in HostileText.scalars {
      let escape = "\\u{\(String(scalar.value, radix: 16))}"
      #expect(PrintableText.line("a\(scalar)b") == "a\(escape)b")
      #expect(
        PrintableText.passage("a\(scalar)b") == ("\n\t".unicodeScalars.contains(scalar) ? "a\(scalar)b" : "a\(escape)b")
      )
    }
    for text in ["\u{FEFF}", "\u{E0041}", "\r\n", "\u{AD}"] { #expect(!PrintableText.line(text).contains(text)) }
  }

  @Test func whatIsReadStays() {
    for text in ["", "model-00001.safetensors", "päck ☃ 模型 شبكة", "👩‍👩‍👧 ❤️ नमस्ते क्‍ष می‌خواهم", "e\u{301}", "\\u{1b}"] {
      #expect(PrintableText.line(text) == text)
      #expect(PrintableText.passage(text) == text)
    }
  }

  @Test func toEscapeTwiceIsToEscapeOnce() {
    let once = PrintableText.line(HostileText.name)
    #expect(PrintableText.line(once) == once && PrintableText.passage(once) == once)
    #expect(HostileText.harm(in: once).isEmpty)
  }

  @Test func longTextIsCutInTheMiddle() {
    let name = String(repeating: "x", count: 300) + ".weight"
    #expect(PrintableText.shortened(name).unicodeScalars.count == 120)
    #expect(PrintableText.shortened(name).hasSuffix("x.weight"))
    #expect(PrintableText.shortened("ab", to: 2) == "ab")
    // Thousands of marks on one letter are one character and many code points.
    #expect(PrintableText.shortened("a" + String(repeating: "\u{301}", count: 9000), to: 50).utf8.count < 110)
  }
}

@Suite struct ErrorReportTests {
  private let hostile = ErrorReport(
    .badData, at: "f: \(HostileText.name)", "tensor '\(HostileText.name)'", expected: HostileText.name,
    found: HostileText.name, hint: HostileText.name)

  @Test func messagesAreSafeAndPartsAreExact() {
    #expect(HostileText.harm(in: hostile.message).isEmpty && !hostile.message.contains("\n"))
    #expect(hostile.found == HostileText.name)
  }

  @Test func messagesStayBelow500Bytes() {
    let report = ErrorReport(
      .badData, at: String(repeating: "é", count: 300), "problem", expected: "1", found: "2", hint: "do this")
    #expect(report.message.utf8.count <= 500)
    #expect(
      ErrorReport(.badData, at: "f", "is bad", expected: "1", found: "2", hint: "Fetch it").message
        == "f: is bad (expected 1, found 2). Fetch it")
    for text in ["\u{1B}", "x", "é", "😀"].map({ String(repeating: $0, count: 70_000) }) {
      let report = ErrorReport(.badData, at: text, text, expected: text, found: text, hint: text)
      #expect(report.message.utf8.count <= 500)
      #expect(report.problem.unicodeScalars.count <= 240)
    }
  }

  /// The longest part gives way, the rule and the remedy stay.
  @Test func aLongNameLeavesTheRestReadable() {
    let name = String(repeating: "layers.", count: 9000)
    let report = ErrorReport(.badData, at: "m", "tensor '\(name)' ends at byte 9", found: "8", hint: "Fetch it again")
    #expect(report.message.hasPrefix("m: tensor 'layers.") && report.message.hasSuffix("(found 8). Fetch it again"))
    #expect(report.message.contains("ends at byte 9"))
  }

  @Test func errorsSayThemselves() {
    let error: any Error = FileError.shrank(path: "m\u{1B}", offset: 3, expectedByteCount: 8)
    let sentence =
      #"m\u{1b}: ends at byte 3 while it is read (expected 8 bytes, found 3). Another program changed the file: "#
      + "try again when it is complete"
    #expect("\(error)" == sentence)
    #expect(error.localizedDescription == sentence)
  }
}
