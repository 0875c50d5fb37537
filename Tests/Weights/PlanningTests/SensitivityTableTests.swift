import JSONText
import Planning
import Testing

/// A table is what was measured, and what follows from it for encodings that were not.
@Suite struct SensitivityTableTests {
  private static let table = SensitivityTable(
    given: .members(["steps": 2, "prompts": ["a cat"]]), probe: "book4",
    rows: [
      .init(name: "a", members: ["a"], effects: [.divergence: 0.5]),
      .init(name: "*.w", members: ["b", "c"], effects: [.latents: 3, .picture: 0.25, .features: 0]),
    ],
    errors: [
      "a": ["book3": 0.04, "book4": 0.01], "b": ["book3": 0.02, "book4": 0.01], "c": ["book3": 0.04, "book4": 0.03],
    ],
    checks: [
      .init(name: "a", encoding: "book3", predicted: [.divergence: 2], measured: [.divergence: 1.75])
    ])

  private func isNear(_ a: Effects?, _ b: Effects) -> Bool {
    guard let a, a.keys == b.keys else { return false }
    return a.allSatisfy { abs($1 - b[$0]!) < 1e-12 }
  }

  /// Errors' energies scale effects: those of a row's members count together.
  @Test func otherEncodingsArePredictedByTheirErrors() {
    let (table, rows) = (Self.table, Self.table.rows)
    #expect(isNear(table.predicted(rows[0], "book3"), [.divergence: 2]))
    #expect(isNear(table.predicted(rows[1], "book3"), [.latents: 4.5, .picture: 0.375, .features: 0]))
    for row in rows { #expect(isNear(table.predicted(row, "book4"), row.effects)) }
    #expect(table.predicted(rows[0], "book6") == nil)
    let unknown = SensitivityTable.Row(name: "d", members: ["a", "d"], effects: [.latents: 1])
    #expect(table.predicted(unknown, "book3") == nil)
  }

  /// Rows of several members are shared out by their errors: together they do what the row does.
  @Test func everyMemberHasItsShare() {
    let effects = Self.table.effects()
    #expect(Set(effects.keys) == ["a", "b", "c"])
    #expect(isNear(effects["a"]?["book4"], [.divergence: 0.5]) && isNear(effects["a"]?["book3"], [.divergence: 2]))
    #expect(isNear(effects["b"]?["book4"], [.latents: 0.75, .picture: 0.0625, .features: 0]))
    #expect(isNear(effects["c"]?["book4"], [.latents: 2.25, .picture: 0.1875, .features: 0]))
    #expect(isNear(effects["b"]?["book3"], [.latents: 1.5, .picture: 0.125, .features: 0]))
  }

  /// A tensor that the probe did not change does nothing in any encoding, rather than anything.
  @Test func noErrorHasNoEffect() {
    var table = Self.table
    table.errors["a"] = ["book3": 0.04, "book4": 0]
    #expect(isNear(table.predicted(table.rows[0], "book3"), [.divergence: 0]))
    #expect(isNear(table.effects()["a"]?["book3"], [.divergence: 0]))
  }

  // MARK: As a file

  @Test(arguments: [nil, 1]) func aWrittenTableReadsBackTheSame(indent: Int?) throws {
    let text = Self.table.json.text(indent: indent)
    #expect(try SensitivityTable(json: Array(text.utf8), path: "t") == Self.table)
  }

  /// Lines of a journal: a row is no check, and a check is no row that was measured.
  @Test func rowsAndChecksReadBackLineByLine() throws {
    for row in Self.table.rows {
      let json = try ConfigJSON.parse(Array(row.json.text().utf8))
      #expect(SensitivityTable.Row(json) == row && SensitivityTable.Check(json) == nil)
    }
    for check in Self.table.checks {
      let json = try ConfigJSON.parse(Array(check.json.text().utf8))
      #expect(SensitivityTable.Check(json) == check && SensitivityTable.Row(json) == nil)
    }
  }

  private static let head = #""schema":"bantam.sensitivity.1","probe":"book4""#

  /// A table with one row, and with one error.
  private static func row(_ row: String) -> String { "{\(head),\"rows\":[\(row)],\"errors\":{}}" }
  private static func errors(_ errors: String) -> String { "{\(head),\"rows\":[],\"errors\":{\"a\":\(errors)}}" }

  private static let refused = [
    "", "{", "[]", "{}", #"{"schema":"bantam.sensitivity.2","probe":"book4","rows":[],"errors":{}}"#,
    #"{"schema":"bantam.sensitivity.1","rows":[],"errors":{}}"#, #"{\#(head),"errors":{}}"#, #"{\#(head),"rows":[]}"#,
    #"{\#(head),"rows":{},"errors":{}}"#, #"{\#(head),"rows":[],"errors":[]}"#, row("1"), row("{}"),
    row(#"{"name":"a","members":["a"]}"#), row(#"{"name":"a","effects":{}}"#), row(#"{"members":["a"],"effects":{}}"#),
    row(#"{"name":"a","members":["a"],"effects":[]}"#), row(#"{"name":"a","members":["a"],"effects":{"speed":1}}"#),
    row(#"{"name":"a","members":["a"],"effects":{"kl":-1}}"#),
    row(#"{"name":"a","members":["a"],"effects":{"kl":NaN}}"#),
    row(#"{"name":"a","members":["a"],"effects":{"kl":Infinity}}"#),
    row(#"{"name":"a","members":["a"],"effects":{"kl":"1"}}"#),
    row(#"{"name":"a","members":["a"],"effects":{"kl":null}}"#), errors(#"{"book4":-1}"#), errors(#"{"book4":NaN}"#),
    errors(#"{"book4":"1"}"#), errors(#"{"book4":[]}"#),
  ]

  @Test(arguments: refused) func aMalformedTableIsRefused(text: String) {
    do throws(PlanningError) {
      _ = try SensitivityTable(json: Array(text.utf8), path: "t.json")
      Issue.record("accepted: \(text)")
    } catch {
      guard case .malformed(let path, _) = error else {
        Issue.record("\(error)")
        return
      }
      #expect(path == "t.json")
    }
  }

  @Test func anEmptyTableIsATable() throws {
    let table = try SensitivityTable(json: Array(#"{\#(Self.head),"rows":[],"errors":{}}"#.utf8), path: "t")
    #expect(table == SensitivityTable(given: .null, probe: "book4"))
  }
}
