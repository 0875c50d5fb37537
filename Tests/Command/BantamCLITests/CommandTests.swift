import Foundation
import JSONText
import Testing
import TestSupport

@Suite struct CommandTests {
  /// A tiny sample and its native file, made by the program.
  static let folder: TemporaryFolder = {
    let folder = TemporaryFolder()
    _ = try! Command(["sample", folder["tiny"], "-q"])
    _ = try! Command(["convert", folder["tiny"], "-o", folder["tiny.bantam"], "-q"])
    return folder
  }()
  static var tiny: String { folder["tiny"] }
  static var archive: String { folder["tiny.bantam"] }

  private func json(_ command: Command) throws -> JSONValue { try ConfigJSON.parse(Array(command.output.utf8)) }

  @Test func theWholeRoadWorks() throws {
    let folder = TemporaryFolder()
    #expect(try Command(["sample", folder["s"], "--scale", "tiny"]).status == 0)
    let converted = try Command(["convert", folder["s"], "-o", folder["m"], "--json"])
    #expect(converted.status == 0)
    #expect(try json(converted)["output_bytes"]?.int == folder.bytes(of: "m").count)
    #expect(converted.errors.contains("/s"), "progress belongs to stderr")
    #expect(try Command(["verify", folder["m"], "--source", folder["s"]]).status == 0)
    #expect(try Command(["export", folder["m"], "--to", "safetensors", "-o", folder["e"]]).status == 0)
    let again = try Command(["convert", folder["e"], "-o", folder["m2"]])
    #expect(again.status == 0)
    #expect(folder.names == ["e", "m", "m2", "s"])
  }

  @Test func aDryRunTellsTheExactSizeAndWritesNothing() throws {
    let folder = TemporaryFolder()
    let plan = try Command(["convert", Self.tiny, "-o", folder["m"], "--dry-run", "--json"])
    #expect(folder.names.isEmpty)
    #expect(try json(plan)["output_bytes"]?.int == Self.folder.bytes(of: "tiny.bantam").count)
    #expect(
      try Command(["convert", Self.tiny, "-o", folder["m"], "--dry-run"]).output.contains("left out     gen_vision"))
  }

  @Test(arguments: ["safetensors", "gguf"]) func anExportsDryRunTellsTheExactSizeAndWritesNothing(
    format: String
  ) throws {
    let folder = TemporaryFolder()
    let arguments = ["export", Self.tiny, "--to", format, "-o", folder["e"]]
    let plan = try json(Command(arguments + ["--dry-run", "--json"]))
    #expect(try Command(arguments + ["--dry-run"]).output.contains("(\(plan["output_bytes"]!.int!) bytes)"))
    #expect(folder.names.isEmpty)
    let done = try json(Command(arguments + ["--json", "-q"]))
    #expect(done["output_bytes"] == plan["output_bytes"] && done["files"] == plan["files"])
    #expect(done["seconds"]?.double != nil && plan["seconds"] == .null)
    let files = FileManager.default
    var total = 0
    for name in try files.subpathsOfDirectory(atPath: folder.path) {
      let attributes = try files.attributesOfItem(atPath: folder[name])
      if attributes[.type] as? FileAttributeType == .typeRegular { total += attributes[.size] as! Int }
    }
    #expect(total == plan["output_bytes"]?.int)
  }

  @Test func exportsTellWhatTheyCannotHold() throws {
    let folder = TemporaryFolder()
    folder.write(SafetensorsFile.bytes([("w", "F32", [1], [0, 0, 0, 0])]), to: "m.safetensors")
    let other = try Command(["export", folder["m.safetensors"], "--to", "gguf", "-o", folder["m.gguf"], "-q"])
    #expect(other.status == 65 && other.errors.contains("blip3o"), "\(other.errors)")
    let name = try Command(["export", Self.tiny, "--to", "gguf", "-o", folder["m.bin"], "-q"])
    #expect(name.status == 64, "\(name.errors)")
    #expect(try Command(["export", Self.tiny, "--to", "onnx", "-o", folder["m"], "-q"]).status == 64)
    #expect(folder.names == ["m.safetensors"])
  }

  @Test func inspectShowsEveryScreen() throws {
    for path in [Self.tiny, Self.archive] {
      let summary = try Command(["inspect", path]).output
      #expect(summary.contains("llm.layers.{0-2}.mlp.down_proj.weight"))
      #expect(try Command(["inspect", path, "--tree"]).output.contains("└─"))
      #expect(try Command(["inspect", path, "--tensor", "llm.norm.weight"]).output.contains("first values"))
      #expect(try Command(["inspect", path, "--layout", "llm.norm.weight"]).output.contains("row-major"))
      #expect(try Command(["inspect", path, "--health"]).output == "health: nothing found\n")
      #expect(try Command(["inspect", path, "--all"]).output.contains("llm.layers.2.mlp.down_proj.weight"))
    }
  }

  @Test func inspectJSONNamesWhatItPromises() throws {
    let document = try json(Command(["inspect", Self.archive, "--json", "--digests", "-q"]))
    let tensor = try #require(document["tensors"]?.array?.first)
    for key in ["name", "component", "dtype", "shape", "encoding", "bytes", "sha256", "stored_sha256"] {
      #expect(tensor[key] != nil, "\(key)")
    }
    let source = try json(Command(["inspect", Self.tiny, "--json", "--digests", "-q"]))
    func digests(_ document: JSONValue) -> [String: String] {
      Dictionary(uniqueKeysWithValues: document["tensors"]!.array!.map { ($0["name"]!.string!, $0["sha256"]!.string!) })
    }
    for (name, digest) in digests(document) { #expect(digests(source)[name] == digest) }
  }

  @Test func aPatternGivesAListAndANameAListOfOne() throws {
    let pattern = "llm.layers.*.mlp.down_proj.weight"
    for path in [Self.tiny, Self.archive] {
      let document = try json(Command(["inspect", path, "--tensor", pattern, "--json", "-q"]))
      #expect(document["schema"] == "bantam.tensors.2" && document["path"]?.string == path)
      let names = try #require(document["tensors"]?.array).map { $0["name"]?.string }
      #expect(names == (0..<3).map { "llm.layers.\($0).mlp.down_proj.weight" })
      let one = try json(Command(["inspect", path, "--tensor", "llm.norm.weight", "--json", "-q"]))
      #expect(one["schema"] == document["schema"] && one["tensors"]?.array?.count == 1)
      let lines = try Command(["inspect", path, "--tensor", pattern, "-q"]).output
      #expect(lines.components(separatedBy: "\n\n").count == 3)
      let none = try Command(["inspect", path, "--tensor", "llm.layers.*.mlp.dwn_proj.weight"])
      #expect(none.status == 66 && none.errors.contains("Nearest: llm.layers.0.mlp.down_proj.weight"), "\(none.errors)")
    }
  }

  @Test func aQuantizedTensorNamesTheDTypeThatItCameFrom() throws {
    let folder = TemporaryFolder()
    let name = "llm.layers.0.mlp.up_proj.weight"
    #expect(try Command(["quantize", Self.tiny, "-o", folder["q"], "--encoding", "int4", "-q"]).status == 0)
    let document = try json(Command(["inspect", folder["q"], "--tensor", name, "--json", "-q"]))
    let tensor = try #require(document["tensors"]?.array?.first)
    #expect(tensor["source_dtype"] == "BF16" && tensor["stored_dtype"]?.string?.hasPrefix("int4") == true, "\(tensor)")
  }

  @Test func healthFindsWhatIsSick() throws {
    let folder = TemporaryFolder()
    var big = [UInt8](repeating: 0x3F, count: 16384)
    big[5] = 1
    folder.write(
      SafetensorsFile.bytes([
        ("nan", "F32", [1], [0, 0, 0xC0, 0x7F]), ("zero", "F32", [2], [UInt8](repeating: 0, count: 8)),
        ("huge", "F32", [1], [0, 0, 0, 0x7F]), ("twin.a", "F32", [4096], big), ("twin.b", "F32", [4096], big),
      ]), to: "m.safetensors")
    _ = try Command(["convert", folder["m.safetensors"], "-o", folder["m.bantam"]])
    for path in [folder["m.safetensors"], folder["m.bantam"]] {
      let document = try json(Command(["inspect", path, "--health", "--json", "-q"]))
      let found = document["findings"]!.array!.map { $0["rule"]!.string! + $0["name"]!.string! }
      #expect(found == ["H1nan", "H2zero", "H3huge", "H4twin.b"])
    }
  }

  @Test func verifyTellsSoundDamagedAndUnopenableApart() throws {
    let folder = TemporaryFolder()
    var bytes = Self.folder.bytes(of: "tiny.bantam")
    #expect(try Command(["verify", Self.archive]).status == 0)
    bytes[70_000] ^= 1
    folder.write(bytes, to: "damaged")
    let damaged = try Command(["verify", folder["damaged"], "--json"])
    #expect(damaged.status == 1)
    #expect(try json(damaged)["findings"]?.array?.count == 1)
    folder.write(Array(bytes.dropLast(10)), to: "cut")
    let cut = try Command(["verify", folder["cut"]])
    #expect(cut.status == 65)
    #expect(cut.errors.contains("10 bytes are missing"))
    #expect(try Command(["verify", folder["absent"]]).status == 66)
    #expect(try Command(["verify", Self.tiny + "/config.json"]).status == 65)
  }

  @Test func annotationsAreKept() throws {
    let folder = TemporaryFolder()
    folder.write(Self.folder.bytes(of: "tiny.bantam"), to: "m")
    #expect(try Command(["annotate", folder["m"], "--set", "a=1=2", "--set", "b=x"]).status == 0)
    #expect(try Command(["annotate", folder["m"], "--remove", "b"]).status == 0)
    let notes = try json(Command(["annotate", folder["m"], "--json"]))["metadata"]?["notes"]
    #expect(notes == .members(["a": "1=2"]))
    #expect(try Command(["verify", folder["m"]]).status == 0)
  }

  static let wrong: [(arguments: [String], status: Int32)] = [
    (["convert"], 64), (["convert", "x"], 64), (["convert", "x", "-o", "y", "--dtype", "f8"], 64),
    (["convert", "x", "-o", "y", "--threads", "0"], 64), (["convert", "x", "-o", "y", "--memory", "lots"], 64),
    (["nonsense"], 64), (["inspect", "x", "--digests"], 64), (["annotate", "x", "--set", "novalue"], 64),
    (["sample", "x", "--scale", "huge"], 64), (["inspect", "/absent/file"], 66), (["inspect", "no-org/no-repo"], 66),
    (["inspect", "/dev/null"], 66), (["export", "/absent", "--to", "safetensors", "-o", "y"], 66),
    (["--help"], 0), (["convert", "--help"], 0), (["--version"], 0),
  ]

  @Test(arguments: wrong.indices) func exitCodesAreThoseOfTheTable(index: Int) throws {
    let (arguments, status) = Self.wrong[index]
    let command = try Command(arguments)
    #expect(command.status == status, "\(arguments): \(command.errors)")
    if status != 0 { #expect(command.output.isEmpty, "talk belongs to stderr") }
  }

  @Test func outputsThatCannotBeAreRefused() throws {
    for (output, status) in [("/proc/x", Int32(73)), ("/absent/x", 73), (Self.tiny, 73), ("/dev/null", 73)] {
      let command = try Command(["convert", Self.tiny, "-o", output, "-q"])
      #expect([status, 77].contains(command.status), "\(output): \(command.status) \(command.errors)")
    }
    let command = try Command(["export", Self.archive, "--to", "safetensors", "-o", NSTemporaryDirectory(), "-q"])
    #expect(command.status == 73)
  }

  @Test func anErrorIsOneLineAndAlsoADocument() throws {
    let command = try Command(["verify", "/absent/file", "--json"])
    #expect(command.errors.hasPrefix("bantam: error: /absent/file: "))
    #expect(command.errors.split(separator: "\n").count == 1)
    let error = try #require(try json(command)["error"])
    #expect(error["exit_code"] == 66)
    #expect(error["where"] == "/absent/file")
  }

  @Test func helpHasExamples() throws {
    for name in ["convert", "inspect", "verify", "export", "annotate", "sample"] {
      #expect(
        try Command([name, "--help"]).output.contains("bantam \(name == "sample" ? "sample big" : name)"), "\(name)")
    }
  }

  @Test func pathsWithSpacesQuotesAndAccentsWork() throws {
    let folder = TemporaryFolder()
    let name = folder["a 'b' \"c\" é 猫"]
    #expect(try Command(["convert", Self.tiny, "-o", name, "-q"]).status == 0)
    #expect(try Command(["verify", name, "-q"]).status == 0)
  }
}

@Suite struct QuantizeCommandTests {
  private func json(_ command: Command) throws -> JSONValue { try ConfigJSON.parse(Array(command.output.utf8)) }

  @Test func aRecipeIsSavedAndGivesTheSameFile() throws {
    let folder = TemporaryFolder()
    let first = try Command([
      "quantize", CommandTests.tiny, "-o", folder["a"], "--encoding", "int4", "--encoding", "unet.*=int8", "--keep",
      "dit.layers.0.*", "--save-recipe", folder["r.json"],
    ])
    #expect(first.status == 0)
    #expect(first.output.contains("worst tensor"))
    #expect(
      try Command(["quantize", CommandTests.tiny, "-o", folder["b"], "--recipe", folder["r.json"], "-q"]).status == 0)
    #expect(folder.bytes(of: "a") == folder.bytes(of: "b"))
    let quality = try Command(["inspect", folder["a"], "--quality", "--all"])
    #expect(quality.output.contains("llm.layers.0.mlp.up_proj.weight"))
    #expect(try Command(["verify", folder["a"], "--source", CommandTests.tiny]).status == 0)
  }

  @Test func aDryRunTellsTheExactSize() throws {
    let folder = TemporaryFolder()
    let arguments = ["quantize", CommandTests.tiny, "-o", folder["q"], "--encoding", "int8", "--json", "-q"]
    let planned = try json(Command(arguments + ["--dry-run"]))["output_bytes"]?.int
    #expect(folder.names.isEmpty)
    _ = try Command(arguments)
    #expect(planned == folder.bytes(of: "q").count)
  }

  @Test func diffOfStrangeTensorsEndsWell() throws {
    let folder = TemporaryFolder()
    let zero: [UInt8] = [0, 0, 0, 0]
    let one: [UInt8] = [0, 0, 0x80, 0x3F]
    let negativeZero: [UInt8] = [0, 0, 0, 0x80]
    let nan: [UInt8] = [0, 0, 0xC0, 0x7F]
    folder.write(
      SafetensorsFile.bytes([("a", "F32", [1], zero), ("b", "F32", [1], zero), ("c", "F32", [1], one)]),
      to: "a.safetensors")
    folder.write(
      SafetensorsFile.bytes([("a", "F32", [1], one), ("b", "F32", [1], negativeZero), ("c", "F32", [1], nan)]),
      to: "b.safetensors")
    let text = try Command(["diff", folder["a.safetensors"], folder["b.safetensors"], "-q"])
    #expect(text.status == 0)
    #expect(text.output.contains("3 changed"))
    let typo = try Command([
      "diff", CommandTests.tiny, CommandTests.archive, "--components", "lmm", "--fail-under", "9", "-q",
    ])
    #expect(typo.status == 65)
  }

  @Test func verifySaysWhatAComparisonMeans() throws {
    let folder = TemporaryFolder()
    _ = try Command(["quantize", CommandTests.tiny, "-o", folder["q"], "--encoding", "int8", "-q"])
    #expect(
      try Command(["verify", folder["q"], "--source", CommandTests.tiny, "-q"]).output.contains("quantized or cast"))
    _ = try Command(["convert", CommandTests.archive, "-o", folder["copy"], "-q"])
    let copy = try Command(["verify", folder["copy"], "--source", CommandTests.archive, "-q"])
    #expect(copy.status == 0 && copy.output.contains("equal to the source"))
    _ = try Command(["convert", CommandTests.tiny, "-o", folder["f16"], "--dtype", "f16", "-q"])
    #expect(try Command(["inspect", folder["f16"], "--quality", "-q"]).output.contains("exact") == false)
  }

  @Test func aRequestThatCannotBeMetIsATableAndNoFile() throws {
    let folder = TemporaryFolder()
    let refused = try Command([
      "quantize", CommandTests.tiny, "-o", folder["q"], "--encoding", "int4", "--encoding", "llm.norm.weight=int4",
    ])
    #expect(refused.status == 65)
    #expect(refused.errors.contains("fewer than 2 dimensions"))
    #expect(folder.names.isEmpty)
    #expect(try Command(["quantize", CommandTests.tiny, "-o", folder["q"], "--encoding", "int3"]).status == 64)
  }

  @Test func withoutAnEncodingTheUsualOneIsTaken() throws {
    let folder = TemporaryFolder()
    #expect(try Command(["quantize", CommandTests.tiny, "-o", folder["q"], "-q"]).status == 0)
    #expect(
      try Command(["inspect", folder["q"], "--tensor", "llm.layers.0.mlp.up_proj.weight"]).output.contains("book4-g32"))
    // Patterns alone mean what they name, and nothing else.
    let some = ["quantize", CommandTests.tiny, "-o", folder["r"], "--encoding", "llm.layers.0.mlp.*=book5", "-q"]
    #expect(try Command(some).status == 0)
    let other = ["inspect", folder["r"], "--tensor", "llm.layers.1.mlp.up_proj.weight"]
    #expect(try Command(other).output.contains("plain"))
  }

  @Test func diffTellsWhatWasLostAndThresholdsCount() throws {
    let folder = TemporaryFolder()
    _ = try Command(["quantize", CommandTests.tiny, "-o", folder["q"], "--encoding", "int4", "-q"])
    let text = try Command(["diff", CommandTests.tiny, folder["q"], "-q"])
    #expect(text.status == 0)
    #expect(text.output.contains("0 missing") == false && text.output.contains("changed"))
    let rows = try #require(
      try json(Command(["diff", CommandTests.tiny, folder["q"], "--json", "-q"]))["tensors"]?.array)
    for key in ["name", "status", "sqnr_db", "cosine", "max_abs", "relative_frobenius"] { #expect(rows[0][key] != nil) }
    #expect(try Command(["diff", CommandTests.tiny, folder["q"], "--fail-under", "10", "-q"]).status == 0)
    #expect(try Command(["diff", CommandTests.tiny, folder["q"], "--fail-under", "40", "-q"]).status == 1)
    #expect(try Command(["diff", CommandTests.tiny, CommandTests.tiny, "--fail-under", "100", "-q"]).status == 0)
  }
}

@Suite(.serialized) struct FaultTests {
  /// Runs, kills after a random time, and looks at what stands there.
  private func kill(_ arguments: [String], rounds: Int, longest: Int, _ check: (Int) throws -> Void) throws {
    var generator = SeededGenerator(12)
    for round in 0..<rounds {
      let process = Command.process(arguments)
      process.standardOutput = FileHandle.nullDevice
      process.standardError = FileHandle.nullDevice
      try process.run()
      usleep(useconds_t(generator.next() % UInt64(longest)))
      Foundation.kill(process.processIdentifier, SIGKILL)
      process.waitUntilExit()
      try check(round)
    }
  }

  @Test func aKilledConversionLeavesNothingHalfWritten() throws {
    let folder = TemporaryFolder()
    let whole = CommandTests.folder.bytes(of: "tiny.bantam")
    let arguments = ["convert", CommandTests.tiny, "-o", folder["m"], "-q"]
    try kill(arguments, rounds: 50, longest: 60_000) { round in
      let found = folder.bytes(of: "m")
      // Absent, or the whole new one; in later rounds also the old one, which is the same.
      #expect(found.isEmpty || found == whole)
      if round % 10 == 9 { try? FileManager.default.removeItem(atPath: folder["m"]) }
    }
    #expect(try Command(arguments).status == 0)
    #expect(folder.bytes(of: "m") == whole)
    #expect(folder.names == ["m"], "nothing stale stays")
  }

  @Test func aKilledExportLeavesNothingHalfWritten() throws {
    let folder = TemporaryFolder()
    let arguments = ["export", CommandTests.archive, "--to", "safetensors", "-o", folder["e"], "-q"]
    #expect(try Command(arguments).status == 0)
    let whole = try Command(["inspect", folder["e"], "--json", "--digests", "-q"]).output
    try kill(arguments, rounds: 50, longest: 80_000) { (round: Int) throws -> Void in
      if FileManager.default.fileExists(atPath: folder["e"]) {
        let found = try Command(["inspect", folder["e"], "--json", "--digests", "-q"]).output
        #expect(found == whole)
      }
      if round % 10 == 9 { try? FileManager.default.removeItem(atPath: folder["e"]) }
    }
    #expect(try Command(arguments).status == 0)
    #expect(folder.names == ["e"], "nothing stale stays")
  }

  @Test func aFullDiskIsAnErrorAndTheOldFileStays() throws {
    let folder = TemporaryFolder()
    folder.write("old", to: "m")
    // A file size limit stands for the full disk: the same write fails.
    let script = "ulimit -f 4000; exec '\(Command.path)' convert '\(CommandTests.tiny)' -o '\(folder["m"])' -q"
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/bin/bash")
    process.arguments = ["-c", script]
    process.standardError = FileHandle.nullDevice
    try process.run()
    process.waitUntilExit()
    #expect(process.terminationReason == .exit)
    #expect(process.terminationStatus == 74)
    #expect(folder.bytes(of: "m") == Array("old".utf8))
    #expect(folder.names == ["m"])
  }

  @Test func twoRunsAtOnceBothEndAndTheResultIsWhole() throws {
    let folder = TemporaryFolder()
    let runs = (0..<2).map { _ in Command.process(["convert", CommandTests.tiny, "-o", folder["m"], "-q"]) }
    for run in runs {
      run.standardOutput = FileHandle.nullDevice
      try run.run()
    }
    for run in runs {
      run.waitUntilExit()
      #expect(run.terminationStatus == 0)
    }
    #expect(folder.bytes(of: "m") == CommandTests.folder.bytes(of: "tiny.bantam"))
    #expect(folder.names == ["m"])
  }
}

@Suite struct SecondReaderTests {
  /// The reader in plain Python that was written from the specification alone.
  static let script = Repository.path("examples/bantam_reader.py")

  private func read(_ path: String) throws -> JSONValue {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = ["python3", Self.script, path, "--no-crc"]
    let pipe = Pipe()
    process.standardOutput = pipe
    try process.run()
    let data = pipe.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    #expect(process.terminationStatus == 0)
    return try ConfigJSON.parse([UInt8](data))
  }

  @Test(arguments: [nil, "int8", "int4"]) func bothReadersSeeTheSameBytes(encoding: String?) throws {
    let folder = TemporaryFolder()
    var path = CommandTests.archive
    if let encoding {
      path = folder["quantized"]
      #expect(try Command(["quantize", CommandTests.tiny, "-o", path, "--encoding", encoding, "-q"]).status == 0)
    }
    let ours = try Command(["inspect", path, "--json", "--digests", "-q"])
    let document = try ConfigJSON.parse(Array(ours.output.utf8))
    let theirs = try read(path)
    func digests(_ document: JSONValue) -> [String: String?] {
      Dictionary(
        uniqueKeysWithValues: document["tensors"]!.array!.map { ($0["name"]!.string!, $0["sha256"]!.string) })
    }
    #expect(digests(document) == digests(theirs))
    #expect(!digests(theirs).isEmpty)
  }
}

/// The screens over other programs' layouts.
@Suite struct ForeignLayoutTests {
  static let fixtures = Repository.checkpoints

  @Test func aGGUFFileSaysWhatItIs() throws {
    let path = Self.fixtures + "/gguf/types.gguf"
    let summary = try Command(["inspect", path])
    #expect(summary.status == 0 && summary.output.contains("GGUF 3, 1 file"))
    #expect(summary.output.contains("Q4_K") && summary.output.contains("IQ2_XXS"))
    #expect(try Command(["inspect", path, "--metadata"]).output.contains("general.architecture  test"))
    for screen in ["--health", "--tree", "--all"] { #expect(try Command(["inspect", path, screen]).status == 0) }
    #expect(try Command(["inspect", path, "--tensor", "Q4_K"]).output.contains("first values  -"))
    // A type that is listed has no values to show.
    #expect(try !Command(["inspect", path, "--tensor", "IQ3_S"]).output.contains("first values"))
    #expect(try Command(["inspect", path, "--layout", "IQ3_S"]).output.contains("rows of 1 block, 256 elements"))
    let folder = TemporaryFolder()
    let converted = try Command(["convert", path, "-o", folder["x"]])
    #expect(converted.status == 65 && converted.errors.contains("is listed but not read"))
    let diff = try Command(["diff", path, Self.fixtures + "/gguf/version2.gguf"])
    #expect(diff.status == 0 && diff.output.contains("26 tensors: 22 equal, 0 changed, 4 different"))
  }

  @Test func aPickleThatWouldRunSomethingIsRefusedByName() throws {
    let folder = TemporaryFolder()
    let path = folder.write(
      ZipFile([.init("archive/data.pkl", Array("cos\nsystem\n(S'touch \(folder["canary"])'\ntR.".utf8))]).bytes(),
      to: "model.bin")
    for command in [["inspect", path], ["convert", path, "-o", folder["x"]], ["diff", path, path]] {
      let done = try Command(command)
      #expect(done.status == 65 && done.errors.contains("'os.system'") && done.errors.contains("Nothing was run"))
    }
    #expect(folder.names == ["model.bin"])
  }

  @Test(arguments: ["torch/plain.bin", "torch/before-zip.pth", "numpy/deflated.npz", "zstd/two-frames.safetensors.zst"])
  func convertsAndVerifies(path: String) throws {
    let (folder, source) = (TemporaryFolder(), Self.fixtures + "/" + path)
    #expect(try Command(["convert", source, "-o", folder["x"], "-q"]).status == 0)
    #expect(try Command(["verify", folder["x"], "--source", source]).status == 0)
    let expected = try Command(["diff", source + ".expected.safetensors", folder["x"]])
    #expect(expected.output.contains("equal, 0 changed") && !expected.output.contains("different"))
  }

  @Test func aPointerInPlaceOfAFileIsTold() throws {
    let folder = TemporaryFolder()
    folder.write("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n", to: "pytorch_model.bin")
    for path in [folder.path, folder["pytorch_model.bin"]] {
      let done = try Command(["inspect", path])
      #expect(
        done.status == 65 && done.errors.contains("a Git LFS pointer") && done.errors.contains("Run git lfs pull"))
    }
  }
}
