import Foundation
import JSONText
import Testing
import TestSupport

@Suite struct PictureCommandTests {
  private static let fixtures = Repository.path("Tests/Look/PictureComparisonTests/Fixtures")
  private static let reference = fixtures + "/reference.png"
  private static let noise = fixtures + "/noise.png"

  private func json(_ command: Command) throws -> JSONValue { try ConfigJSON.parse(Array(command.output.utf8)) }

  @Test func aDiffOfPicturesSaysHowFarTheyAreApart() throws {
    let text = try Command(["diff", Self.reference, Self.noise])
    #expect(text.status == 0 && text.errors.isEmpty, "\(text.errors)")
    for part in ["48 x 36", "32.63 dB", "0.90994", "0.95524", "in green at column 16, row 32"] {
      #expect(text.output.contains(part), "\(part): \(text.output)")
    }
    let document = try json(Command(["diff", Self.reference, Self.noise, "--json"]))
    #expect(document["schema"] == "bantam.picturediff.1" && document["size"] == [48, 36])
    #expect(document["reference"]?.string == Self.reference && document["other"]?.string == Self.noise)
    #expect(document["max_abs"] == 24 && document["max_abs_at"]?["channel"] == "green" && document["map"] == .null)
  }

  @Test func equalPicturesHaveAnInfinitePSNRInJSONToo() throws {
    let document = try json(Command(["diff", Self.noise, Self.noise, "--json", "--min-psnr", "90", "--min-ssim", "1"]))
    #expect(document["psnr_db"] == "inf" && document["ssim"]?.double == 1 && document["haarpsi"]?.double == 1)
    #expect(document["max_abs"] == 0 && document["max_abs_at"] == .null && document["changed_pixels"] == 0)
    #expect(try Command(["diff", Self.noise, Self.noise]).output.contains(#/PSNR +equal/#))
  }

  /// By content, whatever the names say.
  @Test func formatsAreToldByTheirBytes() throws {
    let folder = TemporaryFolder()
    let pictures = Repository.path("Tests/Formats/PicturesTests/Fixtures")
    for name in ["rgb.png", "rgb.jpg", "lossless.webp"] {
      try FileManager.default.copyItem(atPath: pictures + "/" + name, toPath: folder["x" + name.suffix(3)])
    }
    let same = try json(Command(["diff", folder["xpng"], folder["xebp"], "--json"]))
    #expect(same["psnr_db"] == "inf")
    let coded = try json(Command(["diff", folder["xpng"], folder["xjpg"], "--json"]))
    #expect(try #require(coded["psnr_db"]?.double) > 25)
  }

  @Test func thresholdsCount() throws {
    for (options, status) in [
      (["--min-psnr", "32", "--min-ssim", "0.9"], Int32(0)), (["--min-psnr", "33"], 1), (["--min-ssim", "0.92"], 1),
    ] {
      let done = try Command(["diff", Self.reference, Self.noise] + options)
      #expect(done.status == status, "\(options): \(done.errors)")
      #expect(done.errors.contains("less than") == (status == 1))
      #expect(done.output.contains("HaarPSI"))
    }
    let folder = TemporaryFolder()
    folder.write(PictureFile.png, to: "a.png")
    #expect(try Command(["diff", folder["a.png"], folder["a.png"], "--min-psnr", "99"]).status == 0)
  }

  @Test func theMapIsWrittenBesideBoth() throws {
    let folder = TemporaryFolder()
    let arguments = ["diff", Self.reference, Self.noise, "-o", folder["map.png"]]
    let done = try Command(arguments + ["--gain", "16", "--json"])
    #expect(done.status == 0, "\(done.errors)")
    #expect(try json(done)["map"]?.string == folder["map.png"])
    let bytes = folder.bytes(of: "map.png")
    #expect(bytes.starts(with: [0x89, 0x50, 0x4E, 0x47]))
    #expect(bytes.firstRange(of: Array(#""gain":16"#.utf8)) != nil)
    // Equal inputs and options give equal bytes.
    _ = try Command(arguments + ["--gain", "16", "--threads", "1"])
    #expect(folder.bytes(of: "map.png") == bytes)
  }

  @Test func aGridHoldsAllPictures() throws {
    let folder = TemporaryFolder()
    let pictures = ["reference", "noise", "blur", "colours", "brighter"].map { Self.fixtures + "/\($0).png" }
    let done = try json(
      Command(["grid"] + pictures + ["-o", folder["g.png"], "--labels", "a,b b,", "--row-labels", "x,y", "--json"]))
    #expect(done["schema"] == "bantam.grid.1" && done["columns"] == 3 && done["rows"] == 2)
    let square = try json(Command(["grid"] + pictures + ["-o", folder["g.png"], "--json"]))
    #expect(square["width"]?.int == 3 * 48 + 4 * 4 && square["height"]?.int == 2 * 36 + 3 * 4)
    let line = try Command(["grid"] + pictures + ["-o", folder["g.png"], "--columns", "5"])
    #expect(line.status == 0 && line.output.isEmpty && line.errors.contains("264 x 44"), "\(line.errors)")
  }

  @Test func whatTwoModelsPaintIsKept() throws {
    let folder = TemporaryFolder()
    _ = try Command(["quantize", CommandTests.tiny, "-o", folder["q"], "--encoding", "int4", "-q"])
    let arguments = [
      "diff", CommandTests.archive, folder["q"], "--prompt", "a cat", "--steps", "1", "--decoder-steps", "1", "--size",
      "64", "--save-pictures", folder["cats"], "--json", "-q",
    ]
    let models = try Command(arguments)
    #expect(models.status == 0, "\(models.errors)")
    let (first, second) = (folder["cats/first.png"], folder["cats/second.png"])
    let pictures = try json(Command(["diff", first, second, "--json"]))
    #expect(pictures["size"] == [64, 64])
    #expect(try pictures["psnr_db"] == json(models)["picture_psnr_db"] && pictures["psnr_db"]?.double != nil)
    #expect(folder.bytes(of: "cats/difference.png").starts(with: [0x89, 0x50, 0x4E, 0x47]))
    // What was made by the command is replaced, what holds anything else is not.
    #expect(try Command(arguments).status == 0)
    folder.write("mine", to: "cats/mine")
    #expect(try Command(arguments).status == 73)
  }

  static let wrong: [(arguments: [String], status: Int32, words: String)] = [
    (["diff", "R", "S"], 65, "only pictures of one size"), (["diff", "R", "TEXT"], 65, "is no picture"),
    (["diff", "TEXT", "R"], 65, "is no picture"), (["diff", "R", "CUT"], 65, "damaged PNG"),
    (["diff", "R", "ABSENT"], 66, "ABSENT"), (["diff", "R", "N", "--fail-under", "9"], 64, "--min-psnr"),
    (["diff", "R", "N", "-o", "map.jpg"], 64, "*.png"), (["diff", "R", "N", "-o", "R"], 73, "input"),
    (["diff", "R", "N", "-o", "no/such/map.png"], 73, "no/such"), (["diff", "R", "N", "--gain", "4"], 64, "-o"),
    (["diff", "R", "N", "-o", "m.png", "--gain", "0"], 64, "1 to 255"),
    (["diff", "TEXT", "TEXT", "--min-ssim", "1"], 64, "two pictures"),
    (["diff", "R", "N", "--prompt", "a", "--min-ssim", "1"], 64, "two picture files"),
    (["diff", "R", "N", "--save-pictures", "d"], 64, "--prompt"),
    (["grid", "-o", "g.png"], 64, "pictures"), (["grid", "R", "-o", "R"], 73, "input"),
    (["grid", "R", "N", "-o", "g.png", "--columns", "0"], 64, "--columns"),
    (["grid", "R", "N", "-o", "g.png", "--columns", "2", "--labels", "a"], 64, "a label for each of the columns"),
    (["grid", "R", "TEXT", "-o", "g.png"], 65, "is no picture"), (["grid", "R", "-o", "g.webp"], 64, "*.png"),
  ]

  @Test(arguments: wrong.indices) func whatCannotBeDoneIsSaid(index: Int) throws {
    let (arguments, status, words) = Self.wrong[index]
    let folder = TemporaryFolder()
    for (name, path) in [("R", Self.reference), ("N", Self.noise)] {
      try FileManager.default.copyItem(atPath: path, toPath: folder[name])
    }
    folder.write(PictureFile.png, to: "S")
    folder.write("hello", to: "TEXT")
    folder.write(Array(folder.bytes(of: "R").prefix(300)), to: "CUT")
    let before = folder.bytes(of: "R")
    let done = try Command(script: "cd \"$1\"; shift; exec \"$BANTAM\" \"$@\"", [folder.path] + arguments)
    #expect(done.status == status && done.errors.contains(words), "\(arguments): \(done.status) \(done.errors)")
    #expect(folder.names == ["CUT", "N", "R", "S", "TEXT"] && folder.bytes(of: "R") == before)
  }

  @Test func helpHasExamples() throws {
    for command in ["diff", "grid"] {
      #expect(try Command([command, "--help"]).output.contains("bantam \(command) "))
    }
  }
}
