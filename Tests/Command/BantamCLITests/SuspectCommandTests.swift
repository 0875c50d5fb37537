import Foundation
import JSONText
import Testing
import TestSupport

/// A fault planted in one matrix of a model, which is quantized then: `diff` names it before anything else.
@Suite struct SuspectCommandTests {
  private static let work = ["--prompt", "a cat", "--steps", "2", "--decoder-steps", "2", "--size", "64"]
  private static let tensor = "llm.layers.1.mlp.up_proj.weight"

  /// The sound model as int4, and one of which a block has the wrong sign.
  private static let folder: TemporaryFolder = {
    let folder = TemporaryFolder()
    try! FileManager.default.copyItem(atPath: CommandTests.tiny, toPath: folder["m"])
    let found = try! ConfigJSON.parse(
      Array(Command(["inspect", folder["m"], "--tensor", tensor, "--json"]).output.utf8))["tensors"]!.array![0]
    let (stored, columns) = (found["stored"]!.array![0], found["shape"]!.array![1].int!)
    let path = stored["file"]!.string!
    var bytes = folder.bytes(of: "m/" + path)
    for row in 0..<16 {
      for column in 0..<32 { bytes[stored["begin"]!.int! + 2 * (row * columns + column) + 1] ^= 0x80 }
    }
    folder.write(bytes, to: "m/" + path)
    for (source, name) in [(CommandTests.tiny, "sound"), (folder["m"], "spoiled")] {
      _ = try! Command(["quantize", source, "-o", folder[name], "--encoding", "int4", "-q"])
    }
    return folder
  }()

  private func diff(_ name: String, _ more: [String] = []) throws -> JSONValue {
    let command = try Command(["diff", CommandTests.tiny, Self.folder[name], "--json", "-q"] + more)
    #expect(command.status == 0)
    return try ConfigJSON.parse(Array(command.output.utf8))
  }

  @Test func theWeightIsNamedFirst() throws {
    #expect(try diff("spoiled")["suspects"]?.array?.first?["name"]?.string == Self.tensor)
    #expect(try diff("sound")["suspects"]?.array == [])
    let text = try Command(["diff", CommandTests.tiny, Self.folder["spoiled"], "-q"]).output
    #expect(text.hasPrefix("stands out: \(Self.tensor): "))
  }

  @Test(arguments: [[], ["--local"]]) func itsOperationIsNamedFirst(more: [String]) throws {
    let suspect = try #require(try diff("spoiled", Self.work + more)["suspects"]?.array?.first)
    #expect(suspect["name"]?.string == "llm.layers.1.mlp.up_proj")
    #expect(suspect["reasons"]?.array?.first?["weight"]?.string == Self.tensor)
    #expect(try diff("sound", Self.work + more)["suspects"]?.array == [])
  }

  /// What was replaced on the way says nothing of the end.
  @Test func localRunsDoNotTellOfTheEnd() throws {
    let (free, local) = (try diff("sound", Self.work), try diff("sound", Self.work + ["--local"]))
    #expect(free["samplers"]?.array?.map { $0["steps"]?.int } == [2, 2, 2])
    #expect(free["samplers"]?.array?.first?["first_changed_step"]?.int == 1)
    #expect(free["picture_psnr_db"]?.double != nil && free["logits"]?["mean_kl"]?.double != nil)
    #expect(local["picture_psnr_db"] == .null && local["logits"] == .null && local["steps"]?.array == [])
    #expect(local["samplers"] == nil)
    let refused = ["diff", CommandTests.tiny, Self.folder["sound"], "--local", "--max-kl", "1", "-q"] + Self.work
    #expect(try Command(refused).status == 64)
  }

  @Test func oneTensorCanBeAskedFor() throws {
    let rows = try diff("spoiled", ["--tensor", "llm.layers.*.mlp.up_proj.weight"])["tensors"]?.array
    #expect(rows?.count == 3 && rows?.allSatisfy { $0["sqnr_db"]?.double != nil } == true)
    let operations = try diff("spoiled", Self.work + ["--tensor", "llm.layers.1.mlp.up_proj"])["operations"]?.array
    #expect(operations?.allSatisfy { $0["path"]?.string == "llm.layers.1.mlp.up_proj" } == true)
    let typo = try Command([
      "diff", CommandTests.tiny, Self.folder["sound"], "--tensor", "llm.layers.1.mlp.up_proj.wieght",
    ])
    #expect(typo.status == 66 && typo.errors.contains("llm.layers.1.mlp.up_proj.weight"))
  }

  /// In every fold the worst member is named, and `--all` folds nothing.
  @Test func theWorstOfAFoldIsNamed() throws {
    let arguments = ["diff", CommandTests.tiny, Self.folder["spoiled"], "-q"]
    let folded = try Command(arguments).output.split(separator: "\n").filter { $0.contains("mlp.up_proj.weight") }
    #expect(folded.contains { $0.contains("llm.layers.{0-2}.mlp.up_proj.weight") && $0.contains("dB @1") })
    #expect(try Command(arguments + ["--all"]).output.contains("\nllm.layers.0.mlp.up_proj.weight "))
    #expect(try Command(arguments + ["--top", "1"]).output.contains("--top N, --all"))
  }
}
