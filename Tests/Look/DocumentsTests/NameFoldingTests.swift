import Documents
import TestSupport
import Testing

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
