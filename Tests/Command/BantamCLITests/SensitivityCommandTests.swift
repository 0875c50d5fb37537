import Foundation
import JSONText
import Testing
import TestSupport

/// What errors of a few tensors of the miniature do, and encodings that are chosen by it.
@Suite struct SensitivityCommandTests {
  private static let model = Repository.path("miniature/model")

  /// A table of the middle of the picture's decoder.
  private static let folder: TemporaryFolder = {
    let folder = TemporaryFolder()
    folder.write("A red star above a blue ring on a white background.\n", to: "prompts.txt")
    _ = try! Command(arguments(folder["prompts.txt"], to: folder["table.json"]) + ["-q"])
    return folder
  }()
  private static var table: String { folder["table.json"] }

  private static func arguments(_ prompts: String, to path: String) -> [String] {
    [
      "sensitivity", model, "--prompts", prompts, "--steps", "1", "--decoder-steps", "1", "--only", "unet.mid_block*",
      "-o", path,
    ]
  }

  private func measure(to path: String, _ more: [String] = []) throws -> Command {
    try Command(Self.arguments(Self.folder["prompts.txt"], to: path) + more)
  }

  private func json(_ command: Command) throws -> JSONValue { try ConfigJSON.parse(Array(command.output.utf8)) }

  /// The lines that a run would have written on its way: what it is, rows, checks.
  private func journal() throws -> (head: String, lines: [String]) {
    let table = try ConfigJSON.parse(Self.folder.bytes(of: "table.json"))
    let (rows, checks) = (try #require(table["rows"]?.array), try #require(table["checks"]?.array))
    let given = try #require(table["given"])
    return (given.text() + " book4-g32", (rows + checks).map { $0.text() })
  }

  private static func text(_ lines: [String]) -> String { lines.map { $0 + "\n" }.joined() }

  @Test func everyTensorHasARowAndSomeAreChecked() throws {
    let table = try ConfigJSON.parse(Self.folder.bytes(of: "table.json"))
    let rows = try #require(table["rows"]?.array)
    #expect(rows.count == 26 && table["checks"]?.array?.count == 13)
    for row in rows {
      let name = try #require(row["name"]?.string)
      #expect(name.hasPrefix("unet.mid_block") && row["members"] == [.string(name)])
      // The decoder cannot change what comes before it, and no text was read.
      #expect(row["effects"]?["features"]?.double == 0 && row["effects"]?["kl"] == nil, "\(name)")
      #expect(row["effects"]?["latents"]?.double ?? 0 > 0, "\(name)")
      #expect(table["errors"]?[name]?.object?.map(\.key) == ["book3", "book4", "book4-g16", "book5", "book6", "even8"])
    }
    #expect(Self.folder.names == ["prompts.txt", "table.json"], "no journal stays")
  }

  // MARK: Runs that were stopped

  /// Half of the results are there, and a line that was cut: the rest is measured, and nothing else.
  @Test func aStoppedRunGoesOn() throws {
    let folder = TemporaryFolder()
    let (head, lines) = try journal()
    let kept = Array(lines.prefix(lines.count / 2))
    let cut = String(lines[kept.count].prefix(40))
    folder.write(Self.text([head] + kept) + cut, to: "t.json.journal")
    let done = try measure(to: folder["t.json"])
    #expect(done.status == 0 && done.errors.contains("going on behind \(kept.count) results"), "\(done.errors)")
    #expect(folder.bytes(of: "t.json") == folder.bytes(of: Self.table))
    #expect(folder.names == ["t.json"])
  }

  /// What the journal holds is not measured again: it stands in the table as it stood there.
  @Test func whatTheJournalHoldsIsTaken() throws {
    let folder = TemporaryFolder()
    let (head, lines) = try journal()
    let row = try ConfigJSON.parse(Array(lines[0].utf8))
    let name = try #require(row["name"])
    let other = JSONValue.members([
      "name": name, "members": [name], "effects": .members(["latents": 0.125, "picture": 0.25]),
    ])
    folder.write(Self.text([head, other.text()] + lines.dropFirst()), to: "t.json.journal")
    #expect(try measure(to: folder["t.json"], ["-q"]).status == 0)
    let rows = try #require(try ConfigJSON.parse(folder.bytes(of: "t.json"))["rows"]?.array)
    #expect(rows[0] == other && rows.dropFirst().map { $0.text() } == Array(lines[1..<rows.count]))
  }

  /// The journal of another work says nothing of this one.
  @Test func anotherWorkBeginsAnew() throws {
    let folder = TemporaryFolder()
    let (head, lines) = try journal()
    let wrong = lines.map { $0.replacing("latents", with: "picture") }
    folder.write(Self.text([head + " and more"] + wrong), to: "t.json.journal")
    #expect(try measure(to: folder["t.json"], ["-q"]).status == 0)
    #expect(folder.bytes(of: "t.json") == folder.bytes(of: Self.table))
  }

  @Test func aKilledRunIsTakenUp() throws {
    let folder = TemporaryFolder()
    let process = Command.process(Self.arguments(Self.folder["prompts.txt"], to: folder["t.json"]) + ["-q"])
    process.standardOutput = FileHandle.nullDevice
    process.standardError = FileHandle.nullDevice
    try process.run()
    // After some results, or at the end where nobody was fast enough.
    while process.isRunning, folder.bytes(of: "t.json.journal").filter({ $0 == 0x0A }).count < 5 { usleep(1000) }
    Foundation.kill(process.processIdentifier, SIGKILL)
    process.waitUntilExit()
    #expect(try measure(to: folder["t.json"], ["-q"]).status == 0)
    #expect(folder.bytes(of: "t.json") == folder.bytes(of: Self.table))
    #expect(folder.names == ["t.json"])
  }

  // MARK: Budgets

  private func quantize(_ more: [String], to path: String) throws -> Command {
    try Command(["quantize", Self.model, "-o", path, "-q"] + more)
  }

  private func planned(_ more: [String]) throws -> JSONValue {
    let folder = TemporaryFolder()
    let done = try quantize(more + ["--sensitivity", Self.table, "--dry-run", "--json"], to: folder["q"])
    #expect(done.status == 0 && folder.names.isEmpty, "\(done.errors)")
    return try json(done)
  }

  /// Average bits are kept to, and what is predicted is the sum of what each choice does: the more bits, the less.
  @Test func aBudgetOfBitsSaysWhatItCosts() throws {
    var last = Double.infinity
    for bits in [3.6, 4.5, 6] {
      let document = try planned(["--bits", "\(bits)"])
      let found = try #require(document["bits_per_weight"]?.double)
      #expect(found <= bits && found > bits - 0.2)
      let choices = try #require(document["choices"]?.array)
      #expect(choices.count == 26)
      for measure in ["latents", "picture"] {
        let sum = choices.reduce(0) { $0 + ($1["effect_\(measure)"]?.double ?? 0) }
        let predicted = try #require(document["predicted_\(measure)"]?.double)
        #expect(abs(predicted - sum) <= 1e-9 * sum, "\(measure)")
      }
      #expect(document["predicted_features"]?.double == 0 && document["predicted_kl"] == nil)
      let latents = try #require(document["predicted_latents"]?.double)
      #expect(latents < last)
      last = latents
    }
  }

  /// A budget of bytes is one of the whole file.
  @Test func aBudgetOfBytesCountsTheFile() throws {
    let folder = TemporaryFolder()
    let asked = try #require(try planned(["--bits", "4.5"])["output_bytes"]?.int)
    let done = try quantize(["--budget", "\(asked)", "--sensitivity", Self.table], to: folder["q"])
    #expect(done.status == 0, "\(done.errors)")
    let byteCount = folder.bytes(of: "q").count
    #expect(byteCount <= asked && byteCount > asked - 20_000, "\(byteCount) of \(asked)")
    #expect(try Command(["verify", folder["q"], "--source", Self.model, "-q"]).status == 0)
  }

  @Test func aSavedChoiceGivesTheSameFile() throws {
    let folder = TemporaryFolder()
    let chosen = ["--bits", "4.5", "--sensitivity", Self.table, "--save-recipe", folder["r.json"]]
    #expect(try quantize(chosen, to: folder["a"]).status == 0)
    #expect(try quantize(["--recipe", folder["r.json"]], to: folder["b"]).status == 0)
    #expect(!folder.bytes(of: "a").isEmpty && folder.bytes(of: "a") == folder.bytes(of: "b"))
  }

  @Test(arguments: [
    (["--bits", "2", "--sensitivity", "TABLE"], 64), (["--budget", "1MiB", "--sensitivity", "TABLE"], 64),
    (["--max-kl", "0.1", "--sensitivity", "TABLE"], 64), (["--max-kl", "0.1"], 64), (["--sensitivity", "TABLE"], 64),
    (["--bits", "0"], 64), (["--budget", "much"], 64), (["--bits", "4", "--budget", "1GiB"], 64),
    (["--bits", "4", "--encoding", "book4"], 64), (["--bits", "4", "--keep", "unet.*"], 64),
    (["--bits", "4", "--sensitivity", "/absent/table.json"], 66), (["--bits", "4", "--sensitivity", "PROMPTS"], 65),
  ]) func whatCannotBeIsTold(more: [String], status: Int) throws {
    let folder = TemporaryFolder()
    let given = ["TABLE": Self.table, "PROMPTS": Self.folder["prompts.txt"]]
    let done = try quantize(more.map { given[$0] ?? $0 }, to: folder["q"])
    #expect(Int(done.status) == status, "\(more): \(done.status) \(done.errors)")
    #expect(folder.names.isEmpty)
  }

  @Test func theTableOfAnotherModelIsRefused() throws {
    let folder = TemporaryFolder()
    folder.write(
      #"{"schema":"bantam.sensitivity.1","probe":"book4","errors":{"w":{"book4":0.01}},"#
        + #""rows":[{"name":"w","members":["w"],"effects":{"latents":1}}]}"#, to: "t.json")
    let done = try quantize(["--bits", "4.5", "--sensitivity", folder["t.json"]], to: folder["q"])
    #expect(done.status == 65 && done.errors.contains("none of the tensors"), "\(done.errors)")
    #expect(folder.names == ["t.json"])
  }

  @Test(arguments: [["--only", "nothing*"], ["--probe", "int4"], ["--probe", "book9"], ["--by", "layer"]])
  func wrongUseIsTold(more: [String]) throws {
    let folder = TemporaryFolder()
    let done = try Command(
      ["sensitivity", Self.model, "--prompts", Self.folder["prompts.txt"], "-o", folder["t.json"], "-q"] + more)
    #expect(done.status == 64, "\(more): \(done.status) \(done.errors)")
    #expect(folder.names.isEmpty)
  }

  /// The same matrix of all layers together: a row a role.
  @Test func rowsMayBeRoles() throws {
    let folder = TemporaryFolder()
    let arguments = [
      "sensitivity", Self.model, "--prompts", Self.folder["prompts.txt"], "--steps", "1", "--decoder-steps", "1",
      "--only", "llm.layers.*.mlp.*", "--by", "role", "-o", folder["t.json"], "-q",
    ]
    #expect(try Command(arguments).status == 0)
    let rows = try #require(try ConfigJSON.parse(folder.bytes(of: "t.json"))["rows"]?.array)
    let roles = ["gate", "up", "down"].map { "llm.layers.*.mlp.\($0)_proj.weight" }
    #expect(Set(rows.compactMap { $0["name"]?.string }) == Set(roles) && rows.count == 3)
    #expect(rows.allSatisfy { $0["members"]?.array?.count == 4 && $0["effects"]?["features"]?.double ?? 0 > 0 })
  }
}
