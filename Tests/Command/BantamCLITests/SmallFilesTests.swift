import Foundation
import JSONText
import Testing
import TestSupport

/// Small files that ask for much: refused before the memory, the disk or the time is spent.
@Suite struct SmallFilesTests {
  /// Runs a command in 1.5 GB of address space, which a file that is believed would need many times over.
  private func inspect(_ arguments: [String]) throws -> Command {
    try Command(script: #"ulimit -v 1500000; exec "$BANTAM" "$@""#, arguments)
  }

  /// The files that the measurement of them makes too.
  private static let files: TemporaryFolder = {
    let folder = TemporaryFolder()
    let tool = Repository.path("tools/measure_small_files.py")
    let made = try! Command(script: #"exec python3 "$1" --make "$2""#, [tool, folder.path])
    precondition(made.status == 0, made.errors)
    return folder
  }()

  /// 197 kB of zstd that hold 6 GiB, and 1 MB of npz that hold 1 GiB.
  @Test(arguments: [("m.safetensors.zst", 250_000), ("m.npz", 2_000_000)])
  func whatUnpacksToGigabytesIsRefused(name: String, byteLimit: Int) throws {
    let folder = TemporaryFolder()
    let path = Self.files[name]
    #expect(Self.files.bytes(of: name).count < byteLimit)
    for command in [
      ["inspect", path, "--health"], ["convert", path, "-o", folder["x"]],
      ["quantize", path, "--encoding", "int8", "-o", folder["x"]],
    ] {
      let done = try inspect(command + ["-q"])
      #expect(done.status == 65 && done.errors.contains("unpack"), "\(command): \(done.status) \(done.errors)")
    }
    #expect(folder.names.isEmpty)
  }

  @Test func treesOfNothingAreRefused() throws {
    let folder = TemporaryFolder()
    let nothing = "[" + [String](repeating: "{}", count: 1_300_000).joined(separator: ",") + "]"
    let huge = "[" + [String](repeating: "{}", count: 10_000_000).joined(separator: ",") + "]"
    for text in [nothing, huge] {
      folder.write(SafetensorsFile.bytes([("w", "U8", [1], [1])]), to: "m/model.safetensors")
      folder.write(#"{"a":"# + text + "}", to: "m/config.json")
      // Inspect shows the tensors all the same, and says why the family is not known.
      let opened = try inspect(["inspect", folder["m"]])
      #expect(opened.status == 0 && opened.errors.contains("config.json"), "\(opened.status) \(opened.errors)")
      let converted = try inspect(["convert", folder["m"], "-o", folder["x"], "-q"])
      #expect(converted.status == 65 && converted.errors.contains("config.json"), "\(converted.status)")
      folder.write(#"{"format":1,"encoding":"int8","rules":"# + text + "}", to: "r.json")
      let recipe = try inspect(["quantize", CommandTests.tiny, "--recipe", folder["r.json"], "-o", folder["x"], "-q"])
      #expect(recipe.status == 65 && recipe.errors.contains("r.json"), "\(recipe.status) \(recipe.errors)")
    }
  }

  /// Files of noise and features hold some megabytes at the most; what claims more is not read.
  @Test func noiseThatClaimsMuchIsRefusedUnread() throws {
    let folder = TemporaryFolder()
    let count = 1 << 33
    for (option, name) in [("--noise", "dit.noise.cond"), ("--features", "features")] {
      let header = "{" + SafetensorsFile.entry(name, "F32", [1, 64, count / 64], 0, 4 * count) + "}"
      let path = folder.write(SafetensorsFile.bytes(header: header), to: "n.safetensors")
      #expect(truncate(path, off_t(8 + header.utf8.count + 4 * count)) == 0)
      let prompt = option == "--noise" ? ["a"] : []
      let done = try inspect(
        ["generate", CommandTests.archive] + prompt + [option, path, "-o", folder["x.png"], "-q"])
      #expect(done.status == 65, "\(option): \(done.status) \(done.errors)")
      #expect(folder.names == ["n.safetensors"])
    }
  }

  /// Towers that ask for pictures of 19,000 pixels a side, and of 57,000.
  @Test(arguments: ["tower", "longest-tower"]) func towersThatAskForMuchAreRefused(name: String) throws {
    let folder = TemporaryFolder()
    folder.write(PictureFile.png, to: "p.png")
    let done = try inspect(["encode", Self.files[name], folder["p.png"], "-o", folder["f"], "-q"])
    #expect(done.status == 65 && done.errors.contains("pos_embed"), "\(done.status) \(done.errors)")
    #expect(folder.names == ["p.png"])
  }
}
