import ArgumentParser
import Blip3o
import Checkpoints
import Conversion
import Documents
import Pictures
import Tensors

struct Encode: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Turn a picture into the CLIP features that the model paints from.",
    discussion: """
      Needs the EVA-CLIP tower, which 'convert --components all' keeps. The middle square of the picture is
      encoded. The file holds 'features' and 'negative_features', those of an empty picture, each [1, tokens, channels].

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
    let picture = try InputPicture.read(picture, quiet: work.quiet)
    let meter = StepMeter(isShown: !work.quiet)
    let options = work.options(meter, otherwise: .f32)
    let encoder = try PictureEncoder(Model(path: model), run: options)
    try OutputFile.check(output, form: .safetensors)
    let file = try SafetensorsStream(path: output, headerByteCount: 4096)
    let (side, width) = encoder.featureShape
    try encoder.features(picture).write(to: file, channels: width)
    let shape = [1, side * side, width]
    meter.say("\(output): \(shape[1]) features of \(shape[2]) channels")
    guard json else { return }
    var document = Document(schema: "bantam.encode.1")
    document.data("file", .string(output))
    document.data("compute", .string(options.mode.rawValue))
    document.data("shape", .array(shape.map { .int($0) }))
    Terminal.print(json: document)
  }
}
