import ArgumentParser
import Blip3o
import Conversion
import Documents
import JSONText
import Kernels
import NetworkRuntime
import Pictures
import Reports
import Tensors

struct Generate: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Paint a picture from text.",
    discussion: """
      MODEL is a release folder or a .bantam file, exact or quantized. The settings go into the PNG as notes.

      EXAMPLES
        bantam generate 8b-int4.bantam "a photo of a cute cat" -o cat.png
        bantam generate 8b.bantam "two red teapots" -o teapots.png --seed 7 --count 4
        bantam generate 8b.bantam "Please reconstruct the given image." --image cat.jpg -o again.png
        bantam generate 8b.bantam "a harbour at night" -o harbour.png --size 512 --decoder-steps 25
      """)

  @Argument(help: "The model.")
  var model: String

  @Argument(help: "What to paint; with --image, what to do with it.")
  var prompt: String?

  @Option(help: ArgumentHelp("A picture to start from: PNG, JPEG or WebP.", valueName: "file"))
  var image: String?

  @Option(help: ArgumentHelp("Paint from CLIP features, as 'bantam encode' writes them.", valueName: "file"))
  var features: String?

  @Option(name: .shortAndLong, help: "The PNG file to write; with --count, numbers are put before its ending.")
  var output: String

  @OptionGroup var painting: PaintingOptions

  @Option(help: "Pictures to paint, one after another.")
  var count = 1

  @Flag(help: "Print a JSON document with the settings, times and memory.")
  var json = false

  @OptionGroup var work: RuntimeOptions

  func validate() throws {
    guard (prompt == nil) == (features != nil) else { throw ValidationError("give a prompt, or --features") }
    guard image == nil || features == nil else { throw ValidationError("--image and --features exclude each other") }
    guard (1...10_000).contains(count) else { throw ValidationError("--count takes a number from 1 to 10000") }
  }

  func run() throws {
    let options = try painting.options()
    let model = try Model(path: model)
    let meter = StepMeter(isShown: !work.quiet)
    let pipeline = try TextToImage(
      model, options, run: work.options(meter), noise: try painting.givenNoise())
    let image = try image.map { try InputPicture.read($0, quiet: work.quiet) }
    let features = try features.map { try CLIPFeatures(path: $0) }
    // All that can be known is told before the work: outputs that cannot be, what does not fit together, a lack of memory.
    let paths = (0..<count).map { Self.path(output, $0, of: count) }
    for path in paths { try OutputFile.check(path, form: .png) }
    if let features { try pipeline.check(features: features) } else { try pipeline.check(prompt ?? "", image: image) }
    var files: [JSONValue] = []
    for (number, path) in paths.enumerated() {
      let file = try AtomicOutputFile(path: path)
      let picture = try features.map(pipeline.picture(features:)) ?? pipeline.picture(prompt ?? "", image: image)
      try file.commit(
        picture.png(notes: [
          "Software": "bantam \(bantamVersion)", "Description": prompt ?? "",
          "bantam": settings(options, number: number, picture).text(),
        ]))
      files.append(.string(path))
      meter.say("\(path): \(picture.width) x \(picture.height)")
    }
    if json { Terminal.print(json: document(files, pipeline.reports)) }
  }

  /// `cat.png` becomes `cat-1.png`, `cat-2.png`, ...
  static func path(_ output: String, _ number: Int, of count: Int) -> String {
    guard count > 1 else { return output }
    let (folder, name) = Folder.split(output)
    let stem = name.hasSuffix(".png") ? String(name.dropLast(4)) : name
    return Folder.join(folder, "\(stem)-\(number + 1).png")
  }

  private func settings(_ options: GenerationOptions, number: Int, _ picture: Picture) -> JSONValue {
    .members([
      "model": .string(Folder.split(model).name), "prompt": prompt.map { .string($0) } ?? .null,
      "image": image.map { .string(Folder.split($0).name) } ?? .null,
      "features": features.map { .string(Folder.split($0).name) } ?? .null,
      "negative": .string(options.negativePrompt), "seed": painting.seed.json,
      "picture": .int(number + 1), "steps": .int(options.steps), "decoder_steps": .int(options.decoderSteps),
      "compute": .string(work.mode.rawValue), "guidance": .double(Double(options.guidance)),
      "width": .int(picture.width), "height": .int(picture.height),
    ])
  }

  private func document(_ files: [JSONValue], _ stages: [StageReport]) -> Document {
    var document = Document(schema: "bantam.generate.1")
    document.data("files", .array(files))
    document.data("seed", painting.seed.json)
    document.data("compute", .string(work.mode.rawValue))
    var table = Table(
      "stages", [.init("name", "stage"), .init("seconds", "time"), .init("activation_bytes", "activations")])
    for stage in stages {
      table.add([.text(stage.name), .seconds(stage.seconds), .bytes(stage.activationByteCount)])
    }
    document.add(table)
    return document
  }
}

/// Options of commands that paint.
struct PaintingOptions: ParsableArguments {
  @Option(
    parsing: .unconditional,
    help: "Start of the random numbers: those of torch.randn on the CPU. From -2^63 to 2^64 - 1, as torch takes it.")
  var seed = Seed(0)

  @Option(help: "Steps from noise to features.")
  var steps = 30

  @Option(help: "Steps from noise to the picture's latents.")
  var decoderSteps = 50

  @Option(help: "How much the picture's decoder is held to the prompt.")
  var guidance = 3.0

  @Option(help: "Sides of the picture in pixels. (default: what the model was trained for)")
  var size: Int?

  @Option(help: "What the picture should not be. (default: a single space, as in the release's own code)")
  var negative: String?

  @Option(
    help: ArgumentHelp(
      "Start noise in place of the seed's: a file (safetensors, npz, pt) with dit.noise.cond, dit.noise.negative or decoder.noise.",
      valueName: "file"))
  var noise: String?

  func options() throws -> GenerationOptions {
    guard abs(guidance) <= 1000 else { throw ValidationError("--guidance takes a number up to 1000") }
    var options = GenerationOptions()
    options.seed = seed.value
    options.steps = steps
    options.decoderSteps = decoderSteps
    options.guidance = Float(guidance)
    options.size = size
    if let negative { options.negativePrompt = negative }
    return options
  }

  func givenNoise() throws -> Noise.Given {
    guard let noise else { return [:] }
    return try Noise.read(path: noise)
  }
}

/// Options of commands that run networks.
struct RuntimeOptions: ParsableArguments {
  @OptionGroup var effort: EffortOptions

  @OptionGroup var compute: ComputeOptions

  var quiet: Bool { effort.quiet }

  /// How products are computed, in commands that choose the fastest where the user asks for none.
  var mode: ComputeMode { compute.compute ?? .auto }

  /// - Parameter mode: where the user asks for none.
  func options(_ meter: StepMeter, otherwise mode: ComputeMode = .auto) -> RunOptions {
    RunOptions(
      threadCount: effort.threads ?? RunOptions.defaultThreadCount, mode: compute.compute ?? mode,
      progress: { meter.show($0) })
  }
}

/// How products are computed.
struct ComputeOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "How products are computed: f32, exact; bf16; int8, with 8-bit dots where weights are quantized; auto, the fastest of these that loses nothing beside the weights' own loss. (default: auto; trace, encode and diff: f32)",
      valueName: "mode"))
  var compute: ComputeMode?
}

extension ComputeMode: ExpressibleByArgument {}
