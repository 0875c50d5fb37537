import Documents
import JSONText
import Testing

/// A table as a comparison of weights has it.
private func comparison() -> Table {
  var table = Table(
    "tensors",
    [
      .init("name", "tensor"), .init(nil, "count", fold: .sum), .init("sqnr_db", "SQNR", fold: .lowest),
      .init("max_abs", "largest error", fold: .highest), .init(nil, "", fold: .highest, rank: 1),
    ], folding: .init(by: 0), order: .init(2, ascending: true))
  for layer in 0..<4 {
    table.add([
      .name("model.layers.\(layer).mlp.up_proj.weight"), .count(1), .decibels(layer == 2 ? 11.5 : 21 + Double(layer)),
      .error(layer == 3 ? 0.5 : 0.01), .bar(0.5),
    ])
  }
  table.add([.name("model.norm.weight"), .count(1), .decibels(.infinity), .error(0), .bar(0)])
  return table
}

@Suite struct DocumentTests {
  @Test func aFoldNamesItsWorstMembers() {
    let lines = comparison().lines()
    #expect(lines[1].hasPrefix("model.layers.{0-3}.mlp.up_proj.weight      4  11.50 dB @2    5.00e-01 @3"))
    #expect(lines[2].contains("equal"))
    #expect(lines.count == 3)
  }

  @Test func allRowsAreShownWhereTheyAreAskedFor() {
    let lines = comparison().lines(TextStyle(showsAll: true))
    #expect(lines.count == 6)
    #expect(lines[1].hasPrefix("model.layers.2.mlp.up_proj.weight"))
  }

  @Test func whatIsLeftOutIsCounted() {
    let lines = comparison().lines(TextStyle(top: 1))
    #expect(lines.count == 3)
    #expect(lines[2] == "... 1 more of 5: --top N, --all")
  }

  @Test(arguments: [60, 61, 70, 80, 120, 200])
  func linesFitTheScreen(width: Int) {
    for style in [TextStyle(width: width), TextStyle(width: width, showsAll: true)] {
      let lines = comparison().lines(style)
      #expect(lines.allSatisfy { $0.count <= width }, "\(lines)")
      // A name's end tells as much as its start.
      #expect(lines[1].hasPrefix("model.l") && lines[1].contains("up_proj.weight"))
      #expect(lines[1].contains("11.50 dB"))
    }
  }

  @Test func sentencesAreBrokenBetweenWords() {
    var document = Document(schema: "bantam.test.1")
    document.note("one two three four five six seven eight nine ten eleven twelve thirteen")
    #expect(
      document.lines(TextStyle(width: 60)) == [
        "one two three four five six seven eight nine ten eleven", "  twelve thirteen",
      ])
  }

  @Test func programsGetEveryRowAndExactNumbers() {
    var document = Document(schema: "bantam.test.1")
    document.fact("mean_kl", "KL", .error(0.000123456789))
    document.add(comparison())
    let json = document.json
    #expect(json["schema"]?.string == "bantam.test.1")
    #expect(json["mean_kl"]?.double == 0.000123456789)
    let rows = json["tensors"]!.array!
    #expect(rows.count == 5)
    #expect(rows[2]["sqnr_db"]?.double == 11.5)
    // No noise is a value of its own, not the lack of one; bars are for people.
    #expect(rows[4]["sqnr_db"]?.string == "inf")
    #expect(rows[0].object?.count == 3)
  }

  @Test func numbersThatJSONLacksAreStringsThatOthersRead() {
    #expect(Cell.decibels(.infinity).json == "inf")
    #expect(Cell.decibels(-.infinity).json == "-inf")
    #expect(Cell.error(.nan).json == "nan")
    #expect(Cell.absent.json == .null)
  }

  @Test func textOfFilesIsMadeSafe() {
    var document = Document(schema: "bantam.test.1")
    document.fact("name", "name", .name("a\u{1B}[31m\nb"))
    document.note("c\u{7}")
    var table = Table("t", [.init("n", "n")])
    table.add([.name("d\r")])
    document.add(table)
    #expect(
      document.lines() == [#"name  a\u{1b}[31m\u{a}b"#, "", #"c\u{7}"#, "", "n", #"d\u{d}"#])
  }

  @Test func colorsComeOnlyWhereTheyAreWanted() {
    var document = Document(schema: "bantam.test.1")
    document.warn("bad")
    #expect(document.lines() == ["bad"])
    #expect(document.lines(TextStyle(isColored: true)) == ["\u{1B}[31mbad\u{1B}[0m"])
  }

  @Test func commaSeparatedValuesAreQuoted() {
    var table = Table("t", [.init("name", "name"), .init("sizes", "sizes"), .init("db", "SQNR")])
    table.add([.name("a,\"b\""), .shape([2, 3]), .decibels(12.25)])
    table.add([.name("c"), .shape([]), .decibels(.infinity)])
    #expect(table.csv == ["name,sizes,db", "\"a,\"\"b\"\"\",2x3,12.25", "c,,inf"])
    #expect(table.markdown[2] == "| a,\"b\" | 2 x 3 | 12.25 dB |")
  }
}
