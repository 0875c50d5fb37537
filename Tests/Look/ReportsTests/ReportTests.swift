import JSONText
import Reports
import Testing
import TestSupport

@Suite struct NameFoldingTests {
  private func fold(_ names: [String], likeness: (Int) -> String = { _ in "" }) -> [String] {
    NameFolding.fold(names, likeness: likeness).map(\.name)
  }

  @Test func equalLayersBecomeOneLine() {
    #expect(fold((0..<28).map { "llm.layers.\($0).mlp.up" }) == ["llm.layers.{0-27}.mlp.up"])
    #expect(fold(["a.0.x", "a.1.x", "a.3.x", "a.5.x", "a.6.x", "a.7.x"]) == ["a.{0,1,3,5-7}.x"])
  }

  @Test func onlyLikeNamesAreFolded() {
    #expect(fold(["a.0.x", "a.1.x", "a.2.x"]) { $0 == 1 ? "other" : "" } == ["a.{0,2}.x", "a.1.x"])
    #expect(fold(["a.0.x", "a.0.y", "b"]) == ["a.0.x", "a.0.y", "b"])
  }

  @Test func twoNumbersFoldWhereEveryCombinationIsThere() {
    let all = (0..<2).flatMap { a in (0..<3).map { "m.\(a).k.\($0).w" } }
    #expect(fold(all) == ["m.{0,1}.k.{0-2}.w"])
    // One combination missing: the lines must not claim it.
    let lines = NameFolding.fold(Array(all.dropLast()), likeness: { _ in "" })
    #expect(lines.flatMap(\.members).sorted() == Array(0..<5))
    #expect(!lines.map(\.name).contains("m.{0,1}.k.{0-2}.w"))
  }

  @Test func aLineSpellsOutExactlyItsMembers() {
    var generator = SeededGenerator(11)
    let names = (0..<200).map { _ in "a.\(generator.next() % 4).b.\(generator.next() % 4).c\(generator.next() % 2)" }
    let unique = Array(Set(names)).sorted()
    for line in NameFolding.fold(unique, likeness: { _ in "" }) {
      #expect(Set(expand(line.name)) == Set(line.members.map { unique[$0] }))
    }
  }

  /// All names that a line stands for.
  private func expand(_ line: String) -> [String] {
    guard let open = line.firstIndex(of: "{"), let close = line.firstIndex(of: "}") else { return [line] }
    let numbers = line[line.index(after: open)..<close].split(separator: ",").flatMap { part -> [Int] in
      let ends = part.split(separator: "-").map { Int($0)! }
      return Array(ends.first!...ends.last!)
    }
    return numbers.flatMap { expand(line[..<open] + "\($0)" + line[line.index(after: close)...]) }
  }

  @Test func hostileNamesTakeNoTimeAndDoNotTrap() {
    #expect(fold(["a.0.w", "a.9223372036854775807.w"]) == ["a.{0,9223372036854775807}.w"])
    let deep = String(repeating: "1.", count: 20_000)
    #expect(fold([deep, deep + "x"]).count == 2)
  }

  @Test func numbersInsideWordsAreLeftAlone() {
    #expect(fold(["a.conv1.w", "a.conv2.w", "x.01.y"]) == ["a.conv1.w", "a.conv2.w", "x.01.y"])
  }
}

@Suite struct QuantityTests {
  @Test(arguments: [
    (0, "0 bytes"), (999, "999 bytes"), (1000, "1.00 kB"), (1_349_000, "1.35 MB"), (24_500_000_000, "24.5 GB"),
    (999_600, "1.00 MB"), (123_456_789, "123 MB"),
  ])
  func bytesAreReadable(count: Int, text: String) { #expect(Quantity.bytes(count) == text) }

  @Test(arguments: [("512", 512), ("64M", 64 << 20), ("1GiB", 1 << 30), ("1.5k", 1536), ("2g", 2 << 30)])
  func sizesAreParsed(text: String, count: Int) { #expect(Quantity.parseBytes(text) == count) }

  @Test(arguments: ["", "x", "-1", "1T", "1e99G", "M"]) func otherTextsAreNoSizes(text: String) {
    #expect(Quantity.parseBytes(text) == nil)
  }

  @Test func fixedPointRoundsAndKeepsZeros() {
    #expect(Quantity.fixed(1.005, 1) == "1.0")
    #expect(Quantity.fixed(-0.04, 1) == "0.0")
    #expect(Quantity.fixed(12.34567, 3) == "12.346")
    #expect(Quantity.fixed(.infinity, 2) == "inf")
  }

  @Test(arguments: [(3.21, "3.2 s"), (26.4, "26 s"), (185, "3 min 5 s"), (7300, "2 h 1 min")])
  func durationsAreReadable(seconds: Double, text: String) { #expect(Quantity.duration(seconds) == text) }
}

@Suite struct TextTableTests {
  @Test func textsFromFilesAreMadeSafe() {
    var table = TextTable([("name", .left)])
    table.add(["a\u{1B}]0;b\u{7}"])
    #expect(table.lines.last == #"a\u{1b}]0;b\u{7}"#)
  }

  @Test func columnsAreAlignedAndLinesEndWithoutSpaces() {
    var table = TextTable([("name", .left), ("n", .right)])
    table.add(["a", "1"])
    table.add(["long name", "100"])
    #expect(table.lines == ["name         n", "a            1", "long name  100"])
  }
}
