import Foundation
import Testing
import TestSupport

/// An output never takes the place of what the same command reads: refused with 73 before any work, and every byte stands.
@Suite struct InputsSurviveTests {
  /// The files of a folder and what they hold.
  private static func contents(_ folder: TemporaryFolder) -> [String: Data] {
    var all: [String: Data] = [:]
    for case let name as String in FileManager.default.enumerator(atPath: folder.path)! {
      if let data = FileManager.default.contents(atPath: folder[name]) { all[name] = data }
    }
    return all
  }

  /// A model as folder and as file, and everything that commands read beside it.
  private static func world() throws -> TemporaryFolder {
    let folder = TemporaryFolder()
    try FileManager.default.copyItem(atPath: CommandTests.tiny, toPath: folder["tiny"])
    folder.write(CommandTests.folder.bytes(of: "tiny.bantam"), to: "m.bantam")
    folder.write(#"{"format": 1, "encoding": "int8", "rules": []}"#, to: "recipe.json")
    folder.write(PictureFile.png, to: "picture.png")
    folder.write(
      SafetensorsFile.bytes([("features", "F32", [1, 1, 4], [UInt8](repeating: 0, count: 16))]), to: "features")
    folder.write(
      SafetensorsFile.bytes([("dit.noise.cond", "F32", [1, 1, 4], [UInt8](repeating: 0, count: 16))]), to: "noise")
    return folder
  }

  private static let quick = ["--steps", "1", "--decoder-steps", "1", "--size", "64"]

  /// The command without its output, the option that names it, and the inputs that it must spare.
  static let commands: [(arguments: [String], option: String, inputs: [String])] = [
    (
      ["convert", "tiny"], "-o",
      [
        "tiny/config.json", "tiny/tokenizer.json", "tiny/generation_config.json", "tiny/model.safetensors.index.json",
        "tiny/model-00002-of-00003.safetensors", "tiny/diffusion-decoder/unet/config.json",
        "tiny/diffusion-decoder/vae/diffusion_pytorch_model.bf16.safetensors",
      ]
    ), (["convert", "m.bantam"], "-o", ["m.bantam"]),
    (["convert", "tiny/model-00001-of-00003.safetensors"], "-o", ["tiny/model-00001-of-00003.safetensors"]),
    (
      ["quantize", "tiny", "--recipe", "recipe.json"], "-o",
      ["recipe.json", "tiny/config.json", "tiny/model-00003-of-00003.safetensors"]
    ), (["quantize", "m.bantam", "--encoding", "int8"], "-o", ["m.bantam"]),
    (["quantize", "m.bantam", "--encoding", "int8", "-o", "q"], "--save-recipe", ["m.bantam"]),
    (
      ["quantize", "tiny", "--encoding", "int8", "-o", "q"], "--save-recipe",
      ["tiny/config.json", "tiny/model-00001-of-00003.safetensors"]
    ), (["export", "m.bantam", "--to", "safetensors"], "-o", ["m.bantam"]),
    (["export", "m.bantam", "--to", "gguf"], "-o", ["m.bantam"]),
    (["export", "tiny", "--to", "gguf"], "-o", ["tiny/config.json", "tiny/tokenizer.json"]),
    (["generate", "m.bantam", "a"] + quick, "-o", ["m.bantam"]),
    (["generate", "tiny", "a"] + quick, "-o", ["tiny/config.json", "tiny/model-00001-of-00003.safetensors"]),
    (["generate", "m.bantam", "a", "--image", "picture.png"] + quick, "-o", ["picture.png", "m.bantam"]),
    (["generate", "m.bantam", "--features", "features"] + quick, "-o", ["features", "m.bantam"]),
    (["generate", "m.bantam", "a", "--noise", "noise"] + quick, "-o", ["noise"]),
    (["encode", "tiny", "picture.png"], "-o", ["picture.png", "tiny/tokenizer.json"]),
    (["diff", "picture.png", "picture.png"], "-o", ["picture.png"]),
    (["grid", "picture.png"], "-o", ["picture.png"]),
    (
      ["compare", "m.bantam", "tiny", "--text", "recipe.json"], "--save-reference",
      ["m.bantam", "recipe.json", "tiny/config.json", "tiny/model-00001-of-00003.safetensors"]
    ), (["trace", "m.bantam", "--prompt", "a"] + quick, "-o", ["m.bantam"]),
    (
      ["trace", "tiny", "--image", "picture.png", "--question", "a"], "-o",
      ["picture.png", "tiny/preprocessor_config.json"]
    ), (["profile", "m.bantam", "--prompt", "a"] + quick, "--trace-events", ["m.bantam"]),
    (
      ["profile", "tiny", "--image", "picture.png", "--question", "a", "--max-tokens", "1"], "--trace-events",
      ["picture.png", "tiny/config.json"]
    ),
  ]

  @Test(arguments: commands.indices) func outputsNeverTakeAnInputsPlace(index: Int) throws {
    let (arguments, option, inputs) = Self.commands[index]
    let folder = try Self.world()
    let files = FileManager.default
    let before = Self.contents(folder)
    for input in inputs {
      for kind in ["itself", "dots", "symbolic link", "hard link"] {
        var output = input
        switch kind {
        case "dots": output = "tiny/../" + input
        case "symbolic link":
          output = "other"
          try files.createSymbolicLink(atPath: folder["other"], withDestinationPath: folder[input])
        case "hard link":
          output = "other"
          try files.linkItem(atPath: folder[input], toPath: folder["other"])
        default: break
        }
        let done = try Command(
          script: "cd \"$1\"; shift; exec \"$BANTAM\" \"$@\" -q", [folder.path] + arguments + [option, output])
        #expect(done.status == 73, "\(arguments) \(option) \(input) (\(kind)): \(done.status) \(done.errors)")
        if output == "other" { try files.removeItem(atPath: folder["other"]) }
        #expect(Self.contents(folder) == before, "\(arguments) \(option) \(input) (\(kind))")
        try? files.removeItem(atPath: folder["q"])
      }
    }
  }

  /// A folder that holds an input is not replaced, even where an earlier run made it.
  @Test func aFolderWithAnInputInItStays() throws {
    let folder = TemporaryFolder()
    let export = ["export", "--to", "safetensors", "-o", folder["e"], "-q"]
    #expect(try Command(export + [CommandTests.archive]).status == 0)
    for name in ["e/m.bantam", "e/deeper/m.bantam"] {
      folder.write(CommandTests.folder.bytes(of: "tiny.bantam"), to: name)
      let before = Self.contents(folder)
      #expect(try Command(export + [folder[name]]).status == 73)
      #expect(Self.contents(folder) == before)
      try FileManager.default.removeItem(atPath: folder[name])
    }
  }

  /// Where two files are asked for, one never replaces the other.
  @Test func twoOutputsOfOneNameAreRefused() throws {
    let folder = try Self.world()
    let quantized = try Command([
      "quantize", folder["m.bantam"], "--encoding", "int8", "-o", folder["q"], "--save-recipe", folder["q"], "-q",
    ])
    #expect(quantized.status == 73 && !folder.names.contains("q"), "\(quantized.errors)")
  }

  @Test func outputsAreCheckedBeforeTheWork() throws {
    let folder = try Self.world()
    let before = folder.names
    for output in ["-", "/dev/stdout", "/proc/self/fd/1", ""] {
      let done = try Command(["generate", folder["m.bantam"], "a", "-o", output, "-q"] + Self.quick)
      #expect(done.status == 73, "'\(output)': \(done.status) \(done.errors)")
    }
    // A name that promises another form than the one that is written.
    for (arguments, output) in [
      (["generate", folder["m.bantam"], "a"] + Self.quick, "x.jpg"),
      (["encode", folder["tiny"], folder["picture.png"]], "x.png"),
      (["convert", folder["tiny"]], "x.safetensors"), (["trace", folder["m.bantam"], "--prompt", "a"], "x.npz"),
    ] {
      let done = try Command(arguments + ["-o", folder[output], "-q"])
      #expect(done.status == 64, "\(arguments[0]) \(output): \(done.status) \(done.errors)")
    }
    #expect(folder.names == before)
  }

  @Test func modesOwnersAndLinksOfWhatIsReplacedStay() throws {
    let folder = try Self.world()
    let files = FileManager.default
    folder.write("old", to: "target")
    try files.setAttributes([.posixPermissions: 0o640], ofItemAtPath: folder["target"])
    try files.createSymbolicLink(atPath: folder["link"], withDestinationPath: folder["target"])
    #expect(try Command(["convert", folder["tiny"], "-o", folder["link"], "-q"]).status == 0)
    #expect(try files.attributesOfItem(atPath: folder["target"])[.posixPermissions] as? Int == 0o640)
    #expect(try files.destinationOfSymbolicLink(atPath: folder["link"]) == folder["target"])
    #expect(folder.bytes(of: "target") == folder.bytes(of: "m.bantam"))
  }

  @Test(arguments: [200, 240, 255]) func namesOfAnyLengthTheSystemTakesWork(length: Int) throws {
    let folder = TemporaryFolder()
    let name = String(repeating: "n", count: length)
    let done = try Command(["convert", CommandTests.tiny, "-o", folder[name], "-q"])
    #expect(done.status == 0, "\(done.errors)")
    #expect(folder.names == [name])
    let exported = try Command([
      "export", CommandTests.archive, "--to", "safetensors", "-o", folder[String(repeating: "e", count: length)], "-q",
    ])
    #expect(exported.status == 0, "\(exported.errors)")
  }
}
