import ArgumentParser
import Blip3o
import Conversion
import JSON
import Pictures
import Tensors

struct Encode: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Turn a picture into the CLIP features that the model paints from.",
    discussion: """
      Needs the EVA-CLIP tower, which 'convert --components all' keeps. The file holds 'features', [1, tokens, channels].

      EXAMPLES
        bantam encode 8b-all.bantam cat.jpg -o cat.safetensors
        bantam generate 8b-all.bantam --features cat.safetensors -o again.png
      """)

  @Argument(help: "The model.")
  var model: String

  @Argument(help: "A PNG, JPEG or WebP file.")
  var picture: String

  @Option(name: .shortAndLong, help: "The safetensors file to write.")
  var output: String

  @Flag(help: "Print a JSON document.")
  var json = false

  @OptionGroup var work: RuntimeOptions

  func run() throws {
    let picture = try Picture(path: picture)
    let meter = StepMeter(isShown: !work.quiet)
    let features = try PictureEncoder(Model(path: model), run: work.options(meter)).features(picture)
    try CLIPFeatures.write(features, path: output)
    let shape = [1, features.side * features.side, features.width]
    meter.say("\(output): \(shape[1]) features of \(shape[2]) channels")
    if json {
      Terminal.print(
        JSONValue.members([
          "schema": "bantam.encode.1", "file": .string(output), "shape": .array(shape.map { .int($0) }),
        ]).text(indent: 2))
    }
  }
}
