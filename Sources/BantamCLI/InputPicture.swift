import ArgumentParser
import Blip3o
import Pictures
import Tensors

/// Pictures that a command reads.
enum InputPicture {
  /// Reads a picture, and says what there is to say of it.
  static func read(_ path: String, quiet: Bool) throws -> Picture {
    let read = try Picture.read(path: path)
    if let note = read.note, !quiet { Terminal.say("note: \(note)") }
    return read.picture
  }
}

/// How large pictures are when the vision tower looks at them.
struct PixelOptions: ParsableArguments {
  @Option(help: "Smallest area of a picture in pixels. (default: as the model's preprocessor_config.json says)")
  var minPixels: Int?

  @Option(
    help:
      "Largest area of a picture in pixels; fewer are faster. (default: as the model's preprocessor_config.json says)")
  var maxPixels: Int?

  func validate() throws {
    for (name, value) in [("--min-pixels", minPixels), ("--max-pixels", maxPixels)] {
      if let value, value < 1 { throw ValidationError("\(name) takes a number of pixels") }
    }
    if let minPixels, let maxPixels, minPixels > maxPixels {
      throw ValidationError("--min-pixels is more than --max-pixels")
    }
  }

  func apply(to options: inout RunOptions) {
    options.minPixels = minPixels
    options.maxPixels = maxPixels
  }
}
