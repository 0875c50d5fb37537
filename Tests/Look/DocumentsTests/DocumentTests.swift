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

  /// NaN hides neither in a fold nor in the order of lines.
  @Test func whatIsNoNumberIsTheWorst() {
    var table = comparison()
    table.add([.name("model.layers.4.mlp.up_proj.weight"), .count(1), .decibels(.nan), .error(.nan), .bar(.nan)])
    table.add([.name("model.embed.weight"), .count(1), .decibels(3), .error(0), .bar(0)])
    let lines = table.lines()
    #expect(
      lines[1].contains("layers.{0-4}") && lines[1].contains("nan dB @4") && lines[1].contains("nan @4"), "\(lines)")
    #expect(lines[2].hasPrefix("model.embed.weight"))
  }

  @Test func allRowsAreShownWhereTheyAreAskedFor() {
    let lines = comparison().lines(TextStyle(showsAll: true))
    #expect(lines.count == 6)
    #expect(lines[1].hasPrefix("model.layers.2.mlp.up_proj.weight"))
  }

  @Test func whatIsLeftOutIsCounted() {
    let lines = comparison().lines(TextStyle(top: 1, advice: "ask"))
    #expect(lines.count == 3)
    #expect(lines[2] == "... 1 more of 5: ask")
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

  @Test func factsGoOnBesideTheirTitles() {
    var document = Document(schema: "bantam.test.1")
    document.fact(nil, "planes", .text("one two three four five six seven eight nine ten eleven"))
    document.fact(nil, "", .text("one two three four five six seven eight nine ten eleven"))
    #expect(
      document.lines(TextStyle(width: 60)) == [
        "planes  one two three four five six seven eight nine ten", "        eleven",
        "        one two three four five six seven eight nine ten", "        eleven",
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

  @Test func whatOnlyOneReaderWantsIsKeptFromTheOther() {
    var document = Document(schema: "bantam.test.1")
    document.fact(nil, "size", .bytes(1000))
    document.data("exact", 1000)
    document.head("title")
    var forPeople = Table(nil, [.init(nil, "n")])
    forPeople.add([.count(1)])
    document.add(forPeople)
    var forPrograms = Table("rows", [.init("n", nil)])
    forPrograms.add([.data([1, 2])])
    document.add(forPrograms)
    #expect(
      document.json == .members(["schema": "bantam.test.1", "exact": 1000, "rows": [.members(["n": [1, 2]])]]))
    #expect(document.lines() == ["size  1.00 kB", "", "title", "n", "1"])
  }

  @Test func foldsCountAddAndDivide() {
    var table = Table(
      "t",
      [
        .init("name", "name"), .init(nil, "count", fold: .count), .init("work", "work", fold: .sum),
        .init("seconds", "time", fold: .sum), .init(nil, "rate", fold: .ratio(of: 2, to: 3)),
      ], folding: .init(by: 0), order: .init(3, ascending: false))
    func add(_ name: String, _ work: Int, _ seconds: Double) {
      table.add([.name(name), .absent, .count(work), .seconds(seconds), .number(Double(work) / seconds, places: 1)])
    }
    add("one", 8, 2)
    add("layers.0", 6, 1.5)
    add("layers.1", 1, 1)
    // What is added up is also what the order looks at.
    #expect(
      table.lines() == [
        "name          count  work   time  rate", "layers.{0,1}      2     7  2.5 s   2.8",
        "one                     8  2.0 s   4.0",
      ])
    #expect(table.lines(TextStyle(showsAll: true))[0] == "name      work   time  rate")
  }

  @Test func wordsGoOnInFurtherLines() {
    var table = Table("t", [.init("name", "tensor"), .init("problem", "problem")])
    table.add([.name("model.layers.0.weight"), .text("one two three four five six seven eight")])
    table.add([.name("b"), .text("short")])
    #expect(
      table.lines(TextStyle(width: 60)) == [
        "tensor                 problem", "model.layers.0.weight  one two three four five six seven",
        "                       eight", "b                      short",
      ])
    #expect(table.lines().count == 3)
  }

  @Test func cellsSayTheSameInTheirOwnWays() {
    #expect(Cell.range(3..<5).text == "3-4" && Cell.range(3..<5).json == [3, 5])
    #expect(Cell.list(["a", "b"]).text == "a, b" && Cell.list(["a", "b"]).json == ["a", "b"])
    #expect(Cell.parameters(4_190_000).text == "4.19 M" && Cell.parameters(4_190_000).json == 4_190_000)
    #expect(Cell.bitsPerWeight(bytes: 9, parameters: 16).text == "4.50")
    #expect(Cell.bitsPerWeight(bytes: 9, parameters: 0) == .absent)
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
