import ArgumentParser
import Documents
import Glibc
import JSONText
import Observation
import PictureComparison
import Pictures
import Reports
import Tensors

/// Options of a diff of two pictures.
struct PictureDiffOptions: ParsableArguments {
  @Option(
    name: .shortAndLong,
    help: "Of two pictures: a PNG file to write, with both of them side by side and a map of their difference.")
  var output: String?

  @Option(
    help: ArgumentHelp(
      "Of two models at work: a folder to make, with what they paint, first.png and second.png, and difference.png with both and a map of their difference.",
      valueName: "folder"))
  var savePictures: String?

  @Option(help: ArgumentHelp("Exit with 1 when two pictures' SSIM is lower.", valueName: "number"))
  var minSsim: Double?

  @Option(
    help: ArgumentHelp(
      "How much the map brightens differences: maps of one gain can be compared. (default: 4, full at 64 levels)",
      valueName: "factor"))
  var gain: Int?

  /// Whether any option of two picture files is given.
  var areGiven: Bool { output != nil || minSsim != nil }

  func validate() throws {
    if let gain, !(1...255).contains(gain) { throw ValidationError("--gain takes a number from 1 to 255") }
    if gain != nil, output == nil, savePictures == nil { throw ValidationError("--gain needs -o or --save-pictures") }
  }
}

extension Diff {
  /// Compares the two if they are pictures.
  /// - Returns: whether they are.
  func comparePictures() throws -> Bool {
    guard try Picture.isFile(first) || Picture.isFile(second) else {
      guard !pictures.areGiven, minPsnr == nil else {
        throw ValidationError("-o and --min-ssim need two pictures, --min-psnr two pictures or --prompt")
      }
      return false
    }
    guard failUnder == nil, components == nil else {
      throw ValidationError("--fail-under and --components compare weights: use --min-psnr or --min-ssim")
    }
    let (reference, other) = (
      try InputPicture.read(first, quiet: work.quiet), try InputPicture.read(second, quiet: work.quiet)
    )
    if let output = pictures.output { try OutputFile.check(output, form: .png) }
    let difference = try PictureDifference(reference, other, threads: work.threads ?? Workers.usualCount)
    if let output = pictures.output {
      let file = try AtomicOutputFile(path: output)
      try file.commit(sheet(reference, other, names: (Folder.split(first).name, Folder.split(second).name)))
    }
    let found = PictureDiffReport(difference, names: (first, second), map: pictures.output)
    report.show(found.document)
    let failures = found.failures(minPSNR: minPsnr, minSSIM: pictures.minSsim)
    guard failures.isEmpty else {
      for failure in failures { Terminal.say("bantam: \(failure)") }
      Glibc.exit(ExitStatus.differs.rawValue)
    }
    return true
  }

  /// Writes what two models have painted, and how it differs.
  func savePictures(of diff: RunDiff, to path: String) throws {
    let painted = diff.made.compactMap(\.picture)
    let folder = try AtomicOutputFolder(path: path)
    for (name, picture) in zip(["first.png", "second.png"], painted) {
      let notes: JSONValue = .members(["prompt": subject.prompt.map { .string($0) } ?? .null])
      try folder.write(picture.png(notes: ["Software": "bantam \(bantamVersion)", "bantam": notes.text()]), to: name)
    }
    let names = zip([first, second], diff.modes).map { Folder.split($0).name + " " + $1.rawValue }
    try folder.write(sheet(painted[0], painted[1], names: (names[0], names[1])), to: "difference.png")
    try folder.commit()
  }

  /// A PNG file of both and a map of their difference.
  private func sheet(_ reference: Picture, _ other: Picture, names: (String, String)) throws -> [UInt8] {
    let map = try DifferenceMap(reference, other, gain: pictures.gain ?? DifferenceMap.usualGain)
    let settings: JSONValue = .members([
      "reference": .string(names.0), "other": .string(names.1), "gain": .int(map.gain),
    ])
    return try PictureGrid(reference: reference, other, map, labels: names).picture()
      .png(notes: ["Software": "bantam \(bantamVersion)", "bantam": settings.text()])
  }
}
