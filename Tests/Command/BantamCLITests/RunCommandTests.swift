import Foundation
import JSONText
import Testing
import TestSupport

/// The commands that run the networks.
@Suite struct RunCommandTests {
  private static var archive: String { CommandTests.archive }
  private static let quick = ["--steps", "2", "--decoder-steps", "2", "--size", "64"]

  private func json(_ command: Command) throws -> JSONValue { try ConfigJSON.parse(Array(command.output.utf8)) }

  /// A picture to look at.
  private static let picture: String = {
    let path = CommandTests.folder["picture.png"]
    _ = try! Command(["generate", archive, "a cat", "-o", path, "-q"] + quick)
    return path
  }()

  @Test func generatePaintsAndSaysHow() throws {
    let folder = TemporaryFolder()
    let painted = try Command(
      ["generate", Self.archive, "a cat", "-o", folder["a.png"], "--count", "2", "--json"] + Self.quick)
    #expect(painted.status == 0)
    #expect(folder.names == ["a-1.png", "a-2.png"])
    #expect(painted.errors.contains("decoder  step 1 of 2"), "progress belongs to stderr")
    let stages = try #require(try json(painted)["stages"]?.array)
    #expect(
      stages.compactMap { $0["name"]?.string } == [
        "prompt", "features", "features", "decoder", "picture", "prompt", "features", "decoder", "picture",
      ])
    // The settings are in the file.
    #expect(folder.bytes(of: "a-1.png").firstRange(of: Array("\"decoder_steps\":2".utf8)) != nil)
    #expect(folder.bytes(of: "a-1.png") != folder.bytes(of: "a-2.png"))
  }

  @Test func wrongRequestsEndInTheirExitCodes() throws {
    let folder = TemporaryFolder()
    func status(_ arguments: [String]) throws -> Int32 { try Command(arguments + ["-q"]).status }
    #expect(try status(["generate", Self.archive, "a", "-o", folder["x.png"], "--size", "33"]) == 64)
    #expect(try status(["generate", Self.archive, "a", "-o", folder["x.png"], "--steps", "0"]) == 64)
    #expect(try status(["generate", Self.archive, "a", "-o", folder["no/x.png"]]) == 73)
    #expect(try status(["generate", folder["no"], "a", "-o", folder["x.png"]]) == 66)
    #expect(try status(["describe", Self.archive, folder["no.png"], "What?"]) == 66)
    folder.write("not a picture", to: "bad.png")
    #expect(try status(["describe", Self.archive, folder["bad.png"], "What?"]) == 65)
    #expect(try status(["trace", Self.archive, "-o", folder["t"]]) == 64)
    #expect(
      try status(["trace", Self.archive, "--prompt", "a", "--only", "nothing", "-o", folder["t"]] + Self.quick) == 64)
    #expect(try status(["diff", Self.archive, Self.archive, "--min-psnr", "3"]) == 64)
    #expect(folder.names == ["bad.png"])
  }

  @Test func missingPartsAreNamed() throws {
    let folder = TemporaryFolder()
    _ = try Command(["convert", CommandTests.tiny, "-o", folder["part"], "--components", "llm,queries,dit", "-q"])
    let painted = try Command(["generate", folder["part"], "a", "-o", folder["x.png"]])
    #expect(painted.status == 65)
    #expect(painted.errors.contains("unet is not in this file (has: queries, llm, dit)"))
  }

  @Test func describeStreamsAndCounts() throws {
    let arguments = ["describe", Self.archive, Self.picture, "What?", "--max-tokens", "5", "--ignore-eos"]
    let plain = try Command(arguments)
    let document = try json(Command(arguments + ["--json"]))
    #expect(plain.status == 0 && plain.errors.contains("5 written"))
    #expect(plain.output == (try #require(document["text"]?.string)) + "\n")
    #expect(document["ids"]?.array?.count == 5)
    #expect(try Command(["chat", Self.archive, "Hi", "--max-tokens", "2", "--ignore-eos"]).status == 0)
  }

  @Test func encodedPicturesCanBePainted() throws {
    let folder = TemporaryFolder()
    _ = try Command(["convert", CommandTests.tiny, "-o", folder["all"], "--components", "all", "-q"])
    let encoded = try Command(["encode", folder["all"], Self.picture, "-o", folder["f"], "--json", "-q"])
    // The tiny tower gives another number of features than the tiny sampler has: told, not painted.
    #expect(encoded.status == 0)
    #expect(try json(encoded)["shape"]?.array?.count == 3)
    let painted = try Command(["generate", folder["all"], "--features", folder["f"], "-o", folder["x.png"], "-q"])
    #expect(painted.status == 65)
  }

  @Test func tracesCompare() throws {
    let folder = TemporaryFolder()
    _ = try Command(["quantize", CommandTests.tiny, "-o", folder["q"], "--encoding", "int4", "-q"])
    for (name, model) in [("a", Self.archive), ("b", folder["q"])] {
      let traced = try Command(["trace", model, "--prompt", "a cat", "-o", folder[name], "-q"] + Self.quick)
      #expect(traced.status == 0)
    }
    #expect(try Command(["diff", folder["a"], folder["b"], "-q"]).output.contains("llm.hidden.{0-3}"))
    #expect(try Command(["diff", folder["a"], folder["b"], "--fail-under", "60", "-q"]).status == 1)
    let compared = try Command(["diff", Self.archive, folder["q"], "--prompt", "a cat", "--json", "-q"] + Self.quick)
    #expect(compared.status == 0)
    #expect(try #require(json(compared)["operations"]?.array).count > 100)
    #expect(
      try Command(["diff", Self.archive, folder["q"], "--prompt", "a", "--max-kl", "0", "-q"] + Self.quick).status == 1)
    #expect(
      try Command(
        ["diff", Self.archive, Self.archive, "--prompt", "a", "--max-kl", "0", "--min-psnr", "90", "-q"] + Self.quick
      ).status == 0)
  }

  @Test func profileAndDoctorReport() throws {
    let folder = TemporaryFolder()
    let profiled = try Command(
      ["profile", Self.archive, "--prompt", "a", "--trace-events", folder["t.json"], "-q"] + Self.quick)
    #expect(profiled.status == 0 && profiled.output.contains("peak memory"))
    #expect(try ConfigJSON.parse(folder.bytes(of: "t.json"))["traceEvents"] != nil)
    let doctor = try json(Command(["doctor", "--json"]))
    #expect(["blocked", "openblas"].contains(doctor["engine"]?.string ?? ""))
  }

  /// What is not to be used is not shown.
  @Test func fewerInstructionsAreAskedForByAVariable() throws {
    let plain = try json(Command(["doctor", "--json"], environment: ["BANTAM_ISA": "portable"]))
    #expect(plain["instruction_sets"] == [])
    #expect(plain["gflops_per_thread"]?["bf16"] == .null && plain["bf16_products_fast"] == false)
  }

  /// How products are computed is asked for, done and told.
  @Test func modesAreNamed() throws {
    let folder = TemporaryFolder()
    #expect(try Command(["quantize", Self.archive, "-o", folder["q"], "--encoding", "int4", "-q"]).status == 0)
    let diff = try json(
      Command(
        ["diff", folder["q"], folder["q"], "--prompt", "a", "--compute", "f32", "--compute2", "int8", "--json", "-q"]
          + Self.quick))
    #expect(diff["compute"] == ["f32", "int8"])
    #expect(diff["rounded_rows"]?.int ?? 0 > 0)
    #expect(diff["operations"]?.array?.contains { $0["changed"] != 0 } == true, "8 bits are not exact")
    let profile = try json(
      Command(["profile", folder["q"], "--prompt", "a", "--compute", "int8", "--json", "-q"] + Self.quick))
    #expect(profile["compute"] == "int8")
    #expect(try Command(["generate", Self.archive, "a", "-o", folder["x.png"], "--compute", "int7"]).status == 64)
    #expect(try Command(["diff", folder["q"], folder["q"], "--compute", "int8"]).status == 64)
  }

  @Test func benchMeasuresWhatIsAskedFor() throws {
    let networks = ["bench", Self.archive, "--networks", "llm:3,decode:4,unet:8", "--repeats", "2", "-q"]
    let rows = try #require(
      try json(Command(networks + ["--threads", "1,2", "--modes", "f32", "--json"]))["rows"]?.array)
    #expect(rows.count == 6)
    #expect(rows.map { $0["threads"]?.int } == [1, 1, 1, 2, 2, 2])
    #expect(rows.allSatisfy { $0["seconds"]?.array?.count == 2 && $0["operations"]?.int ?? 0 > 0 })
    let table = try Command(networks + ["--format", "md", "--threads", "1"])
    #expect(table.status == 0 && table.output.hasPrefix("| network | size |"))
    for wrong in [
      ["--networks", "llm:0"], ["--networks", "gpt"], ["--networks", "unet:5"], ["--modes", "int7"],
      ["--repeats", "0"],
    ] {
      #expect(try Command(["bench", Self.archive, "-q"] + wrong).status == 64)
    }
  }
}
