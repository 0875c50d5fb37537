import Foundation
import JSONText
import TestSupport
import Testing

/// `formats/json.md` describes every member that a document can have, and none that no document has.
@Suite struct JSONDocumentTests {
  /// A row of the page: a member, its type, and whether it may be null.
  private struct Member {
    let type: String
    let mayBeNull: Bool
  }

  /// The members of each schema by path, such as `tensors[].name`. Schemas without a table are described elsewhere.
  private static let described: [String: [String: Member]] = {
    let text = try! String(contentsOfFile: Repository.path("formats/json.md"), encoding: .utf8)
    var result: [String: [String: Member]] = [:]
    var schema = ""
    for line in text.split(separator: "\n") {
      if line.hasPrefix("## ") { schema = String(line.dropFirst(3)) }
      let cells = line.split(separator: "|", omittingEmptySubsequences: false).map { $0.trimming { $0 == " " } }
      guard cells.count == 7, cells[1].hasPrefix("`") else { continue }
      let path = cells[1].trimming { $0 == "`" }
      precondition(result[schema]?[path] == nil, "\(schema) \(path) stands there twice")
      result[schema, default: [:]][path] = Member(type: cells[2], mayBeNull: cells[5] != "never")
    }
    return result
  }()

  private static func fits(_ value: JSONValue, _ type: String) -> Bool {
    let list = "list of "
    if type.hasPrefix(list) { return value.array?.allSatisfy { fits($0, String(type.dropFirst(list.count))) } ?? false }
    let choices = type.components(separatedBy: " or ")
    guard choices.count == 1 else { return choices.contains { fits(value, $0) } }
    switch (type, value) {
    case ("int", .int), ("string", .string), ("bool", .bool), ("object", .object), ("map", .object): return true
    case ("number", _): return value.double != nil || ["inf", "-inf", "nan"].contains(value.string)
    default: return type.hasPrefix("as ") && value.array != nil
    }
  }

  /// What of a document the page does not say; adds the paths of its members to `seen`.
  private static func faults(_ value: JSONValue, _ schema: String, _ path: String, _ seen: inout Set<String>)
    -> [String]
  {
    switch value {
    case .array(let items): return items.flatMap { faults($0, schema, path + "[]", &seen) }
    case .object(let members):
      return members.flatMap { member -> [String] in
        let own = path.isEmpty ? member.key : path + "." + member.key
        guard let row = described[schema]?[own] else { return ["\(schema) has \(own)"] }
        seen.insert(own)
        if member.value == .null { return row.mayBeNull ? [] : ["\(schema): \(own) is null"] }
        guard fits(member.value, row.type) else {
          return ["\(schema): \(own) is no \(row.type): \(member.value.text())"]
        }
        let isFree = row.type == "map" || row.type.hasPrefix("as ")
        return isFree ? [] : faults(member.value, schema, own, &seen)
      }
    default: return []
    }
  }

  @Test func thePageAndTheDocumentsAgree() throws {
    var seen: [String: Set<String>] = [:]
    for document in try Self.documents() {
      guard let schema = document.object?.first, schema.key == "schema", let name = schema.value.string else {
        Issue.record("a document does not begin with its schema: \(document.text().prefix(200))")
        continue
      }
      guard Self.described[name] != nil else {
        Issue.record("\(name) is not described")
        continue
      }
      let rest = JSONValue.object(Array(document.object!.dropFirst()))
      for fault in Set(Self.faults(rest, name, "", &seen[name, default: []])) { Issue.record("\(fault)") }
    }
    for (schema, members) in Self.described {
      let missing = Set(members.keys).subtracting(seen[schema] ?? [])
      #expect(missing.isEmpty, "\(schema): no document has \(missing.sorted())")
    }
  }

  // MARK: Documents of every command

  private static func documents() throws -> [JSONValue] {
    let folder = TemporaryFolder()
    let fixtures = Repository.checkpoints
    let quick = ["--steps", "1", "--decoder-steps", "1", "--size", "64"]
    let (tiny, archive, small, all) = (CommandTests.tiny, CommandTests.archive, folder["q"], folder["all"])
    let (statistics, table) = (folder["statistics.safetensors"], folder["sensitivity.json"])
    var damaged = CommandTests.folder.bytes(of: "tiny.bantam")
    damaged[70_000] ^= 1
    folder.write(damaged, to: "damaged")
    folder.write(SafetensorsFile.bytes([("nan", "F32", [1], [0, 0, 0xC0, 0x7F])]), to: "sick.safetensors")
    folder.write(Array("a cat sits\n\na dog runs\n".utf8), to: "p.txt")
    try FileManager.default.createDirectory(atPath: folder["seen"], withIntermediateDirectories: true)
    let commands: [[String]] = [
      ["sample", folder["s"]], ["convert", tiny, "-o", all, "--components", "all"],
      ["convert", tiny, "-o", folder["x"], "--dry-run"], ["quantize", tiny, "-o", small, "--encoding", "int4"],
      ["export", archive, "--to", "safetensors", "-o", folder["e"]],
      ["export", tiny, "--to", "gguf", "-o", folder["e.gguf"], "--dry-run"],
      ["inspect", small, "--digests"], ["inspect", tiny, "--tree"], ["inspect", fixtures + "/gguf/types.gguf"],
      ["inspect", small, "--tensor", "*"], ["inspect", fixtures + "/gguf/types.gguf", "--tensor", "*"],
      ["inspect", fixtures + "/torch/plain.bin", "--tensor", "*"],
      ["inspect", fixtures + "/torch/plain.bin", "--layout", "transposed"],
      ["inspect", small, "--layout", "unet.down_blocks.0.resnets.0.conv1.weight"],
      ["inspect", small, "--metadata"], ["inspect", fixtures + "/gguf/types.gguf", "--metadata"],
      ["inspect", folder["sick.safetensors"], "--health"], ["inspect", small, "--quality"],
      ["verify", archive], ["verify", folder["damaged"]], ["annotate", all, "--set", "a=1"],
      ["tokenize", tiny, "--text", "a cat"], ["generate", archive, "a", "-o", folder["a.png"]] + quick,
      ["generate", archive, "b", "-o", folder["b.png"]] + quick,
      ["generate", archive, "b", "-o", folder["seen/a.png"]] + quick,
      ["describe", archive, folder["a.png"], "What?", "--max-tokens", "2"],
      ["chat", archive, "Hi", "--max-tokens", "2"],
      ["encode", all, folder["a.png"], "-o", folder["f.safetensors"]],
      ["trace", archive, "--prompt", "a", "-o", folder["t.safetensors"]] + quick,
      ["profile", archive, "--prompt", "a"] + quick,
      ["bench", archive, "--networks", "decode:2", "--modes", "f32", "--repeats", "2"], ["doctor"],
      ["encodings"], ["quantize", tiny, "-o", folder["book"], "--encoding", "book5"],
      ["inspect", folder["book"], "--tensor", "llm.layers.0.*"],
      ["inspect", folder["book"], "--layout", "unet.down_blocks.0.resnets.0.conv1.weight"],
      ["diff", tiny, small], ["diff", archive, small, "--prompt", "a"] + quick,
      ["diff", archive, small, "--image", folder["a.png"], "--question", "What?", "--max-tokens", "2"],
      ["diff", folder["a.png"], folder["b.png"], "-o", folder["map.png"]],
      ["grid", folder["a.png"], folder["b.png"], "-o", folder["grid.png"]],
      [
        "compare", archive, small, "--prompts", folder["p.txt"], "--text", folder["p.txt"], "--images", folder["seen"],
        "--max-tokens", "2",
      ] + quick,
      ["calibrate", tiny, "--prompts", folder["p.txt"], "-o", statistics] + quick, ["statistics", statistics],
      ["quantize", tiny, "-o", folder["guided"], "--encoding", "book4", "--statistics", statistics],
      [
        "sensitivity", tiny, "--prompts", folder["p.txt"], "--text", folder["p.txt"], "--only", "llm.layers.0.mlp.*",
        "-o", table,
      ] + quick,
      ["quantize", tiny, "-o", folder["chosen"], "--bits", "6", "--sensitivity", table, "--dry-run"],
      ["quantize", tiny, "-o", folder["chosen"], "--bits", "6", "--dry-run"],
      // Errors are documents too.
      ["inspect", "/absent/file"], ["inspect", folder["damaged"], "--tensor", "llm.norm.wieght"],
      ["convert", folder["sick.safetensors"], "-o", folder["y"], "--family", "blip3o"], ["convert"], ["nonsense"],
      ["sample", folder["x"], "--scale", "huge"],
    ]
    return try commands.map { arguments in
      let done = try Command(arguments + ["--json"])
      do { return try ConfigJSON.parse(Array(done.output.utf8)) } catch {
        Issue.record("\(arguments): not one document: \(done.output.prefix(200)) \(done.errors)")
        return .null
      }
    }
  }
}

/// When a failing command writes a document, and which.
@Suite struct ErrorDocumentTests {
  @Test(arguments: [
    (["convert", "--json"], true), (["nonsense", "--json"], true), (["inspect", "--json", "/absent/file"], true),
    (["bench", "/absent/file", "--format", "json"], true), (["bench", "/absent/file", "--format=json"], true),
    (["inspect", "/absent/file"], false), (["inspect", "--", "--json"], false),
    (["bench", "/absent/file", "--format", "csv"], false),
  ]) func comesWhereJSONWasAskedFor(arguments: [String], isDocument: Bool) throws {
    let done = try Command(arguments)
    #expect(done.status == 64 || done.status == 66, "\(arguments): \(done.status)")
    #expect(!done.errors.isEmpty)
    guard isDocument else { return #expect(done.output.isEmpty, "\(arguments): \(done.output)") }
    let document = try ConfigJSON.parse(Array(done.output.utf8))
    #expect(document["schema"] == "bantam.error.1")
    #expect(document["error"]?["exit_code"]?.int == Int(done.status), "\(document)")
    #expect(document["error"]?["what"]?.string?.isEmpty == false, "\(document)")
  }

  @Test func aConversationIsADocumentALine() throws {
    let done = try Command(
      script: #"printf 'Hi\nAnd\n' | exec "$BANTAM" chat "$1" --max-tokens 1 --ignore-eos --json -q"#,
      [CommandTests.archive])
    let lines = done.output.split(separator: "\n")
    #expect(lines.count == 2, "\(done.output)")
    for line in lines { #expect(try ConfigJSON.parse(Array(line.utf8))["schema"] == "bantam.answer.1") }
  }
}

extension StringProtocol {
  fileprivate func trimming(_ isTrimmed: (Character) -> Bool) -> String {
    var rest = self[...]
    while let first = rest.first, isTrimmed(first) { rest.removeFirst() }
    while let last = rest.last, isTrimmed(last) { rest.removeLast() }
    return String(rest)
  }
}
