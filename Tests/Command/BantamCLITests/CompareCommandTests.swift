import Foundation
import JSONText
import Testing
import TestSupport

@Suite struct CompareCommandTests {
  /// A sample model, its int4 form, and what they are given.
  private static let folder: TemporaryFolder = {
    let folder = TemporaryFolder()
    _ = try! Command(["quantize", CommandTests.tiny, "-o", folder["int4.bantam"], "--encoding", "int4", "-q"])
    folder.write("a cat\n\na dog\n", to: "prompts.txt")
    folder.write("one cat sits\nhere\n\n  \ntwo dogs run there\n", to: "text.txt")
    return folder
  }()

  private static let quick = ["--steps", "1", "--decoder-steps", "1", "--size", "64", "-q"]

  private func compare(_ more: [String], reference: String = CommandTests.archive) throws -> Command {
    try Command(["compare", reference, Self.folder["int4.bantam"]] + more)
  }

  private func json(_ more: [String], reference: String = CommandTests.archive) throws -> JSONValue {
    try ConfigJSON.parse(Array(compare(more + ["--json"], reference: reference).output.utf8))
  }

  private var prompts: [String] { ["--prompts", Self.folder["prompts.txt"]] + Self.quick }
  private var text: [String] { ["--text", Self.folder["text.txt"], "-q"] }

  @Test func aKeptReferenceGivesTheSameFigures() throws {
    let kept = Self.folder["kept.safetensors"]
    let live = try json(prompts + ["--save-reference", kept])
    let again = try json(prompts, reference: kept)
    #expect(live["models"]?.array?.count == 2)
    for key in ["mean_kl", "features_sqnr_db", "latents_sqnr_db", "psnr_db", "ssim", "haarpsi"] {
      let (a, b) = (live["models"]?.array?[1][key], again["models"]?.array?[1][key])
      #expect(a?.double != nil && a == b, "\(key): \(String(describing: a)) \(String(describing: b))")
    }
    // With other prompts it is no reference.
    let other = try compare(text, reference: kept)
    #expect(other.status == 64 && other.errors.contains("was made with other"))
  }

  @Test func documentsAreDividedByEmptyLines() throws {
    let document = try json(text)
    #expect(document["documents"] == 2)
    let row = try #require(document["language"]?.array?[1])
    #expect(row["kind"] == "texts" && row["documents"] == 2 && row["mean_kl_standard_error"]?.double != nil)
    // Long documents are cut: no piece has more than two tokens, so each has one position.
    let cut = try #require(try json(text + ["--context", "2"])["language"]?.array?[1])
    #expect(cut["documents"] == cut["positions"])
  }

  @Test func boundsDecideTheExitCode() throws {
    #expect(try compare(text + ["--max-kl", "100", "--min-top1", "0"]).status == 0)
    let missed = try compare(text + ["--max-kl", "1e-12"])
    #expect(missed.status == 1 && missed.errors.contains("int4.bantam (auto): the mean KL divergence is"))
    // What was not measured keeps no bound.
    #expect(try compare(text + ["--min-psnr", "1"]).status == 1)
  }

  @Test func aRowAModelAndMode() throws {
    let csv = try compare(text + ["--compute", "f32,int8", "--format", "csv"]).output.split(separator: "\n")
    #expect(csv.count == 4 && csv[0].hasPrefix("name,path,compute,bytes,"))
    #expect(csv.dropFirst().map { $0.split(separator: ",")[2] } == ["f32", "f32", "int8"])
    let markdown = try compare(text + ["--format", "md"]).output
    #expect(markdown.contains("| model | compute | bytes |"))
  }

  @Test func picturesAndRecordsAreKept() throws {
    let folder = TemporaryFolder()
    let done = try compare(
      prompts + ["--seeds", "2", "--save-pictures", folder["p"], "--save-records", folder["r"]])
    #expect(done.status == 0, "\(done.errors)")
    let pictures = try FileManager.default.contentsOfDirectory(atPath: folder["p"]).sorted()
    let expected = (0..<4).flatMap { ["painting.\($0).int4.png", "painting.\($0).reference.png"] }
    #expect(pictures == ["differences.png", "grid.png"] + expected)
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder["r"]) == ["int4.safetensors"])
  }

  @Test(arguments: [
    [], ["--text", "TEXT", "--compute", ""], ["--text", "TEXT", "--compute", "f32,f32"],
    ["--text", "TEXT", "--compute", "fast"], ["--text", "TEXT", "--context", "1"], ["MODEL", "--text", "TEXT"],
  ]) func wrongUseIsTold(more: [String]) throws {
    let arguments = more.map {
      $0.replacing("TEXT", with: Self.folder["text.txt"]).replacing("MODEL", with: Self.folder["int4.bantam"])
    }
    #expect(try compare(arguments).status == 64)
  }
}
