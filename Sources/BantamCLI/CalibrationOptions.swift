import ArgumentParser
import Blip3o

/// How a model that runs is looked at for a quantizer.
struct CalibrationOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "What a picture's tokens count where words are read as well: there are many more of them.", valueName: "factor"))
  var pictureWeight = 0.25

  func validate() throws {
    guard pictureWeight > 0, pictureWeight <= 1 else {
      throw ValidationError("--picture-weight takes a number above 0, up to 1")
    }
  }

  /// Says what should be known of a model before its inputs are taken for those of an exact one.
  static func tellIfQuantized(_ model: Model, _ path: String, quiet: Bool) {
    if model.isQuantized, !quiet {
      Terminal.say("note: '\(path)' is quantized: its inputs are those of a model that has lost something already")
    }
  }
}
