import Tensors
import Testing
import TestSupport

/// A work that was stopped goes on behind what it had done, and with nothing that it had only begun.
@Suite struct JournalTests {
  /// Opens a journal, adds lines, and lets it go.
  private func lines(of path: String, _ head: String, adding lines: String...) throws -> [String] {
    let (journal, found) = try Journal.open(path: path, head: head)
    #expect(journal.path == path)
    for line in lines { try journal.append(line) }
    return found
  }

  @Test func linesComeBackInTheirOrder() throws {
    let folder = TemporaryFolder()
    let path = folder["j"]
    #expect(try lines(of: path, "head", adding: "one", "").isEmpty)
    #expect(try lines(of: path, "head", adding: #"{"three":"é 猫"}"#) == ["one", ""])
    #expect(try lines(of: path, "head") == ["one", "", #"{"three":"é 猫"}"#])
    #expect(folder.bytes(of: "j") == Array("head\none\n\n{\"three\":\"é 猫\"}\n".utf8))
  }

  /// Lines stand in the file as soon as they are added.
  @Test func nothingIsHeldBack() throws {
    let folder = TemporaryFolder()
    let (journal, _) = try Journal.open(path: folder["j"], head: "head")
    try journal.append("one")
    #expect(folder.bytes(of: "j") == Array("head\none\n".utf8))
    try journal.append("two")
    #expect(folder.bytes(of: "j") == Array("head\none\ntwo\n".utf8))
  }

  /// What comes behind the last end of a line was cut: the next line does not go on with it.
  @Test(arguments: ["t", "two", "{\"n\":1.2", "\u{E9}"]) func aCutLineIsDropped(cut: String) throws {
    let folder = TemporaryFolder()
    folder.write("head\none\n" + cut, to: "j")
    #expect(try lines(of: folder["j"], "head", adding: "three") == ["one"])
    #expect(folder.bytes(of: "j") == Array("head\none\nthree\n".utf8))
  }

  /// A character that was cut in the middle, and other bytes that are no text.
  @Test func aCutCharacterIsDropped() throws {
    let folder = TemporaryFolder()
    folder.write(Array("head\none\n".utf8) + [0xC3], to: "j")
    #expect(try lines(of: folder["j"], "head", adding: "two") == ["one"])
    folder.write([0xFF, 0xFE, 0x0A, 0x00, 0x0A], to: "j")
    #expect(try lines(of: folder["j"], "head").isEmpty)
    #expect(folder.bytes(of: "j") == Array("head\n".utf8))
  }

  /// Another work's lines do not count, even where its head begins alike, or was cut itself.
  @Test(arguments: ["", "hea", "head", "headless\none\n", "other\none\ntwo\n", "\nhead\none\n"])
  func anotherHeadBeginsAnew(text: String) throws {
    let folder = TemporaryFolder()
    folder.write(text, to: "j")
    #expect(try lines(of: folder["j"], "head", adding: "new").isEmpty)
    #expect(folder.bytes(of: "j") == Array("head\nnew\n".utf8))
  }

  @Test func aFinishedWorkLeavesNothing() throws {
    let folder = TemporaryFolder()
    let (journal, _) = try Journal.open(path: folder["j"], head: "head")
    try journal.append("one")
    journal.remove()
    #expect(folder.names.isEmpty)
    #expect(try lines(of: folder["j"], "head").isEmpty)
  }

  @Test func whatCannotBeIsAnError() {
    let folder = TemporaryFolder()
    for path in [folder["absent/j"], folder.path] {
      #expect(throws: FileError.self, "\(path)") { _ = try Journal.open(path: path, head: "head") }
    }
  }
}

/// Memory that the system may keep in a file.
@Suite struct TemporaryMemoryTests {
  @Test(arguments: [1, 8, 4095, 4096, 4097, 5_000_000]) func itIsZerosAndTakesWhatIsWritten(byteCount: Int) throws {
    let memory = try TemporaryMemory(byteCount: byteCount)
    #expect(memory.bytes.count == byteCount && memory.bytes.allSatisfy { $0 == 0 })
    for index in 0..<byteCount { memory.bytes[index] = UInt8(truncatingIfNeeded: index &* 31 + 7) }
    #expect(memory.bytes.indices.allSatisfy { memory.bytes[$0] == UInt8(truncatingIfNeeded: $0 &* 31 + 7) })
  }

  @Test func noneMayBeAskedFor() throws {
    #expect(try TemporaryMemory(byteCount: 0).bytes.isEmpty)
  }

  /// Each has bytes of its own, however many there are, and gives them back.
  @Test func manyLieBesideEachOther() throws {
    for round in 0..<3 {
      let memories = try (0..<300).map { _ in try TemporaryMemory(byteCount: 10_000) }
      for (number, memory) in memories.enumerated() {
        #expect(memory.bytes[9_999] == 0)
        memory.bytes[9_999] = UInt8(truncatingIfNeeded: number + round)
      }
      for (number, memory) in memories.enumerated() {
        #expect(memory.bytes[9_999] == UInt8(truncatingIfNeeded: number + round))
      }
    }
  }

  @Test func moreThanThereIsRoomForIsAnError() {
    #expect(throws: FileError.self) { try TemporaryMemory(byteCount: 1 << 60) }
  }
}
