import Foundation
import JSONText
import Testing
import TestSupport

/// Sentences with a remedy where a name is no file, and what is known at the start told at the start.
@Suite struct KindnessTests {
  private static let quick = ["--steps", "1", "--decoder-steps", "1", "--size", "64"]

  @Test(arguments: [
    ("https://huggingface.co/BLIP3o/BLIP3o-Model-8B", "hf download"), ("http://host/model.safetensors", "download"),
    ("-", "Standard input"), ("", "empty"),
  ]) func namesThatAreNoFiles(path: String, remedy: String) throws {
    for command in [["inspect", path], ["convert", path, "-o", "/absent/x"], ["verify", path]] {
      let done = try Command(command)
      #expect(done.status == 66, "\(command): \(done.status)")
      #expect(done.errors.contains(remedy), "\(command): \(done.errors)")
    }
  }

  static let hopeless: [(arguments: [String], status: Int32)] = [
    (["trace", "MODEL", "--prompt", "a", "--only", "nothing.*", "-o", "OUT"], 64),
    (["generate", "MODEL", "a", "-o", "no/such/folder/a.png"], 73),
    (["generate", "MODEL", "a", "-o", "OUT.png", "--noise", "absent"], 66),
    (["generate", "MODEL", "a", "-o", "OUT.png", "--image", "absent"], 66),
    (["generate", "MODEL", "a", "-o", "OUT.png", "--size", "100000"], 64),
    (["generate", "MODEL", "-o", "OUT.png"], 64),
    (["profile", "MODEL", "--prompt", "a", "--trace-events", "no/such/t.json"], 73),
  ]

  /// Talk before the first product: nothing was painted where an option cannot be met.
  @Test(arguments: hopeless.indices) func whatIsKnownIsToldBeforeTheWork(index: Int) throws {
    let (arguments, status) = Self.hopeless[index]
    let folder = TemporaryFolder()
    let done = try Command(
      arguments.map { $0.replacing("MODEL", with: CommandTests.archive).replacing("OUT", with: folder["out"]) }
        + (arguments.contains("--size") ? ["--steps", "1"] : Self.quick))
    #expect(done.status == status, "\(done.status) \(done.errors)")
    #expect(!done.errors.contains("step 1 of"), "\(done.errors)")
    #expect(folder.names.isEmpty)
  }

  @Test func anEmptyPromptPaints() throws {
    let folder = TemporaryFolder()
    let done = try Command(["generate", CommandTests.archive, "", "-o", folder["a.png"], "-q"] + Self.quick)
    #expect(done.status == 0, "\(done.errors)")
    #expect(folder.names == ["a.png"])
  }

  /// As torch.manual_seed takes them: -1 and 2^64 - 1 are one seed.
  @Test func seedsAreTorchs() throws {
    let folder = TemporaryFolder()
    for (name, seed) in [
      ("a", "-1"), ("b", "18446744073709551615"), ("c", "9223372036854775808"), ("d", "-9223372036854775808"),
    ] {
      let done = try Command(
        ["generate", CommandTests.archive, "a", "-o", folder[name + ".png"], "--seed=\(seed)", "--json", "-q"]
          + Self.quick)
      #expect(done.status == 0, "\(seed): \(done.errors)")
    }
    func pixels(_ name: String) throws -> [UInt8] {
      // The seed stands in the notes: only what is behind them is compared.
      let bytes = folder.bytes(of: name + ".png")
      return Array(bytes[(try #require(bytes.firstRange(of: Array("IDAT".utf8)))).lowerBound...])
    }
    #expect(try pixels("a") == pixels("b"))
    #expect(try pixels("c") == pixels("d"))
    #expect(try pixels("a") != pixels("c"))
    for seed in ["18446744073709551616", "-9223372036854775809", "x", "1.5"] {
      let done = try Command(["generate", CommandTests.archive, "a", "-o", folder["e.png"], "--seed=\(seed)"])
      #expect(done.status == 64, "\(seed)")
    }
  }

  @Test func linesAreLines() throws {
    let folder = TemporaryFolder()
    for (text, count) in [("a\nb\n", 2), ("a\nb", 2), ("a\n\nb\n", 3), ("\n", 1), ("", 0), ("a\r\nb\r\n", 2)] {
      folder.write(text, to: "t")
      let done = try Command(["tokenize", CommandTests.archive, "--file", folder["t"], "--lines", "--json"])
      #expect(done.status == 0)
      #expect(done.output.split(separator: "\n").count == count, "\(text.debugDescription): \(done.output)")
    }
  }

  @Test func requantizingIsAskedForAndRemembered() throws {
    let folder = TemporaryFolder()
    func quantize(_ source: String, _ output: String, _ encoding: String, _ more: [String] = []) throws -> Command {
      try Command(["quantize", source, "-o", folder[output], "--encoding", encoding, "-q"] + more)
    }
    #expect(try quantize(CommandTests.tiny, "int4", "int4").status == 0)
    let refused = try quantize(folder["int4"], "again", "int8")
    #expect(refused.status == 65 && refused.errors.contains("--allow-requantize"), "\(refused.errors)")
    #expect(folder.names == ["int4"])
    #expect(try quantize(folder["int4"], "again", "int8", ["--allow-requantize"]).status == 0)
    let text = try Command(["inspect", folder["again"], "--tensor", "llm.layers.0.mlp.up_proj.weight", "-q"]).output
    #expect(text.contains("of values decoded from int4"), "\(text)")
  }

  /// A loss beyond what the encoding costs is a warning with the tensor's name.
  @Test func tensorsThatLoseTooMuchAreNamed() throws {
    let folder = TemporaryFolder()
    let good = (0..<64 * 64).flatMap { n in withUnsafeBytes(of: Float(sin(Double(n))).bitPattern) { Array($0) } }
    // Sizes so far below what f16 can scale that little is left.
    let lost = (0..<64 * 64).flatMap { n in withUnsafeBytes(of: Float(sin(Double(n)) * 5e-9).bitPattern) { Array($0) } }
    folder.write(
      SafetensorsFile.bytes([("good.weight", "F32", [64, 64], good), ("lost.weight", "F32", [64, 64], lost)]),
      to: "m.safetensors")
    for encoding in ["int8", "int4"] {
      let done = try Command(["quantize", folder["m.safetensors"], "-o", folder[encoding], "--encoding", encoding])
      #expect(done.status == 0)
      #expect(done.errors.contains("warning: 'lost.weight' keeps only"), "\(done.errors)")
      #expect(!done.errors.contains("'good.weight' keeps"), "\(done.errors)")
    }
  }

  @Test func growingIsSaid() throws {
    let folder = TemporaryFolder()
    _ = try Command(["quantize", CommandTests.tiny, "-o", folder["q"], "--encoding", "int4", "-q"])
    let grown = try Command(["convert", folder["q"], "-o", folder["c"], "--dtype", "f32"])
    #expect(grown.status == 0)
    #expect(grown.errors.contains("note: "), "\(grown.errors)")
  }

  @Test func boundsOfPixelsAreObeyed() throws {
    let folder = TemporaryFolder()
    folder.write(PictureFile.png, to: "p.png")
    func tokens(_ options: [String], _ model: String = CommandTests.archive) throws -> Int {
      let done = try Command(
        ["describe", model, folder["p.png"], "What?", "--max-tokens", "1", "--ignore-eos", "--json", "-q"] + options)
      let document = try ConfigJSON.parse(Array(done.output.utf8))
      return try #require(document["prompt_tokens"]?.int)
    }
    let usual = try tokens([])
    #expect(try tokens(["--min-pixels", "50176"]) > usual)
    #expect(
      try tokens(["--min-pixels", "50176", "--max-pixels", "50176"])
        > tokens(["--max-pixels", "12544", "--min-pixels", "784"]))
    // The folder's own file says the same.
    try FileManager.default.copyItem(atPath: CommandTests.tiny, toPath: folder["m"])
    let path = "m/preprocessor_config.json"
    let text = String(decoding: folder.bytes(of: path), as: UTF8.self)
    folder.write(
      text.replacing(#/"min_pixels": *\d+/#, with: "\"min_pixels\": 50176"), to: path)
    #expect(try tokens([], folder["m"]) == tokens(["--min-pixels", "50176"]))
  }
}
