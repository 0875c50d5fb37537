import Foundation
import JSONText
import Testing
import TestSupport

/// From runs of the miniature, whose weights are trained, to a file that was quantized by what they have seen.
@Suite struct CalibrateCommandTests {
  private static let model = Repository.path("miniature/model")

  /// Statistics of two prompts, and of each alone.
  private static let folder: TemporaryFolder = {
    let folder = TemporaryFolder()
    let prompts = [
      "A red star above a blue ring on a white background.", "A green square on a black background.",
    ]
    folder.write(prompts.joined(separator: "\n") + "\n", to: "both.txt")
    folder.write(prompts[0] + "\n", to: "first.txt")
    folder.write(prompts[1] + "\n", to: "second.txt")
    for (name, threads) in [("both", 1), ("first", 2), ("second", 2)] {
      _ = try! calibrate(folder[name + ".txt"], to: folder[name + ".safetensors"], threads: threads)
    }
    return folder
  }()
  private static var both: String { folder["both.safetensors"] }

  private static func calibrate(_ prompts: String, to path: String, threads: Int) throws -> Command {
    try Command([
      "calibrate", model, "--prompts", prompts, "--steps", "2", "--decoder-steps", "2", "-o", path, "--threads",
      "\(threads)", "-q",
    ])
  }

  private func json(_ command: Command) throws -> JSONValue { try ConfigJSON.parse(Array(command.output.utf8)) }

  @Test func statisticsDoNotDependOnThreads() throws {
    let folder = TemporaryFolder()
    let done = try Self.calibrate(Self.folder["both.txt"], to: folder["s.safetensors"], threads: 3)
    #expect(done.status == 0, "\(done.errors)")
    #expect(!folder.bytes(of: "s.safetensors").isEmpty)
    #expect(folder.bytes(of: "s.safetensors") == folder.bytes(of: Self.both))
    #expect(folder.names == ["s.safetensors"])
  }

  @Test(arguments: [["first", "second"], ["second", "first"]]) func halvesAddUpToTheWhole(halves: [String]) throws {
    let folder = TemporaryFolder()
    let done = try Command(
      ["statistics"] + halves.map { Self.folder[$0 + ".safetensors"] } + ["-o", folder["sum.safetensors"]])
    #expect(done.status == 0, "\(done.errors)")
    #expect(folder.bytes(of: "sum.safetensors") == folder.bytes(of: Self.both))
  }

  @Test func aFileTellsWhatItHasSeen() throws {
    let document = try json(Command(["statistics", Self.both, "--json"]))
    #expect(document["counts"] == JSONValue.members(["painting": 2]))
    let rows = try #require(document["tensors"]?.array)
    #expect(document["matrices"]?.int == rows.count && rows.count > 200)
    let names = Set(rows.compactMap { $0["name"]?.string })
    for name in ["llm.layers.0.mlp.down_proj.weight", "unet.mid_block.resnets.0.conv1.weight"] {
      #expect(names.contains(name), "\(name)")
    }
    // Of a convolution the channels, which all taps share.
    let kernel = rows.first { $0["name"] == "unet.mid_block.resnets.0.conv1.weight" }
    #expect(kernel?["columns"]?.int == 96 && kernel?["block"]?.int == 96)
  }

  @Test(arguments: ["book4", "int4", "int8"])
  func quantizingByStatisticsDoesNotDependOnThreadsAndIsRecorded(encoding: String) throws {
    let folder = TemporaryFolder()
    func quantize(_ name: String, _ more: [String]) throws -> Command {
      try Command(["quantize", Self.model, "-o", folder[name], "--encoding", encoding, "-q"] + more)
    }
    let guided = ["--statistics", Self.both]
    let document = try json(quantize("one", guided + ["--threads", "1", "--json"]))
    #expect(try quantize("three", guided + ["--threads", "3"]).status == 0)
    #expect(try quantize("plain", []).status == 0)
    #expect(folder.bytes(of: "one") == folder.bytes(of: "three"))
    #expect(folder.bytes(of: "one") != folder.bytes(of: "plain"))
    #expect(try Command(["verify", folder["one"], "--source", Self.model, "-q"]).status == 0)
    // What the data did, and that it did, stands in the report and in the file.
    let name = "unet.mid_block.resnets.0.conv1.weight"
    let choice = try #require(document["choices"]?.array?.first { $0["name"]?.string == name })
    #expect(choice["guide"] == "feedback" && choice["output_sqnr_db"]?.double != nil)
    func method(_ file: String) throws -> String? {
      let rows = try json(Command(["inspect", folder[file], "--quality", "--json", "-q"]))["tensors"]?.array
      return rows?.first { $0["name"]?.string == name }?["method"]?.string
    }
    let (one, plain) = (try #require(try method("one")), try #require(try method("plain")))
    #expect(one.contains("statistics") && !plain.contains("statistics"), "\(one), \(plain)")
  }

  /// Two layers, each solved while the model runs; what is kept meanwhile goes with the end.
  @Test func quantizingWhileTheModelRuns() throws {
    let folder = TemporaryFolder()
    let words = [
      "quantize", Self.model, "--encoding", "keep", "--encoding", "llm.layers.0.*=book4", "--encoding",
      "unet.mid_block.resnets.0.*=book4", "--calibrate-with", Self.folder["first.txt"], "--steps", "1",
      "--decoder-steps", "1",
    ]
    let done = try Command(words + ["-o", folder["q"], "--json", "-q"])
    #expect(done.status == 0 && done.errors.isEmpty, "\(done.errors)")
    #expect(folder.names == ["q"])
    #expect(try Command(["verify", folder["q"], "--source", Self.model, "-q"]).status == 0)
    let choices = try #require(try json(done)["choices"]?.array)
    #expect(choices.count > 8 && choices.allSatisfy { $0["guide"] == "feedback" })
    // What a plan says, and what cannot be, is said before any work.
    let planned = try Command(words + ["-o", folder["p"], "--dry-run"])
    #expect(planned.status == 0 && planned.errors.contains("second copy") && folder.names == ["q"])
  }

  @Test(arguments: [
    ["--encoding", "int4", "--keep", "*", "--calibrate-with", "PROMPTS"], ["--calibrate-with", "NONE"],
    ["--images", "FOLDER"],
    ["--steps", "3"], ["--seed", "3"], ["--picture-weight", "0.5"], ["--max-tokens", "3"],
    ["--calibrate-with", "PROMPTS", "--statistics", "BOTH"], ["--calibrate-with", "PROMPTS", "--family", "generic"],
  ]) func wrongUseOfRunsIsTold(arguments: [String]) throws {
    let folder = TemporaryFolder()
    let given = [
      "PROMPTS": Self.folder["first.txt"], "NONE": Self.folder["none.txt"], "FOLDER": Self.folder.path,
      "BOTH": Self.both,
    ]
    let done = try Command(["quantize", Self.model, "-o", folder["q"], "-q"] + arguments.map { given[$0] ?? $0 })
    #expect(done.status == (arguments.contains("NONE") ? 66 : 64), "\(arguments): \(done.status) \(done.errors)")
    #expect(folder.names.isEmpty)
  }

  @Test func statisticsOfAnotherModelAreRefused() throws {
    let folder = TemporaryFolder()
    // Names of the family, other widths.
    let widths = try Command(["quantize", CommandTests.tiny, "-o", folder["q"], "--statistics", Self.both, "-q"])
    #expect(widths.status == 65 && widths.errors.contains("of another model"), "\(widths.errors)")
    // Other names altogether.
    let zeros = [UInt8](repeating: 0, count: 4 * 64 * 64)
    folder.write(SafetensorsFile.bytes([("w", "F32", [64, 64], zeros)]), to: "m.safetensors")
    let names = try Command(["quantize", folder["m.safetensors"], "-o", folder["q"], "--statistics", Self.both, "-q"])
    #expect(names.status == 65 && names.errors.contains("none of the tensors"), "\(names.errors)")
    // No statistics at all.
    let none = try Command(
      ["quantize", folder["m.safetensors"], "-o", folder["q"], "--statistics", folder["m.safetensors"], "-q"])
    #expect(none.status == 65 && none.errors.contains("these are no statistics"), "\(none.errors)")
    #expect(folder.names == ["m.safetensors"])
  }

  @Test func statisticsCollectedInAnotherWayAreNotAdded() throws {
    let folder = TemporaryFolder()
    let other = try Command([
      "calibrate", Self.model, "--prompts", Self.folder["first.txt"], "--steps", "1", "--decoder-steps", "1", "--block",
      "0", "-o", folder["other.safetensors"], "-q",
    ])
    #expect(other.status == 0, "\(other.errors)")
    let sum = try Command(["statistics", Self.both, folder["other.safetensors"], "-o", folder["sum.safetensors"]])
    #expect(sum.status == 65 && sum.errors.contains("cannot be added"), "\(sum.errors)")
    #expect(folder.names == ["other.safetensors"])
  }

  @Test(arguments: [
    ["calibrate", "MODEL", "-o", "OUT"], ["calibrate", "MODEL", "--prompts", "PROMPTS", "-o", "OUT", "--block", "33"],
    ["calibrate", "MODEL", "--prompts", "PROMPTS", "-o", "OUT", "--block", "16416"],
    ["calibrate", "MODEL", "--prompts", "PROMPTS", "-o", "OUT", "--picture-weight", "0"],
    ["calibrate", "MODEL", "--prompts", "PROMPTS", "-o", "WRONG"], ["statistics"], ["statistics", "BOTH", "BOTH"],
  ]) func wrongUseIsTold(arguments: [String]) throws {
    let folder = TemporaryFolder()
    let given = [
      "MODEL": Self.model, "PROMPTS": Self.folder["both.txt"], "OUT": folder["out"], "WRONG": folder["out.gguf"],
      "BOTH": Self.both,
    ]
    let done = try Command(arguments.map { given[$0] ?? $0 })
    #expect(done.status == 64, "\(arguments): \(done.status) \(done.errors)")
    #expect(folder.names.isEmpty)
  }
}
