import Blip3o
import Foundation
import JSONText
import NetworkRuntime
import Tensors
import Testing

@testable import Blip3o

/// Everything on the way from text to a picture equals PyTorch, on three configurations.
@Suite struct GoldenTests {
  private static let captions = [
    "A photo of a cute cat", "Two red teapots on a wooden table, 35mm, \u{5c0f}\u{732b} \u{1F431} caf\u{e9}",
  ]

  /// Goldens that another path makes, or that a trace of one prompt does not hold.
  private static func isOfThisPath(_ name: String) -> Bool {
    !["vision.", "i2t.", "eva.", "query.reconstruct.", "query.cond1.", "vae.random."].contains { name.hasPrefix($0) }
  }

  /// Results of many steps may drift further apart than those of a single call.
  private static func limit(_ name: String) -> Double {
    let isLong = ["dit.sample.", "dit.features.", "decoder.", "vae.", "unet."].contains { name.hasPrefix($0) }
    return isLong ? 1e-4 : 1e-5
  }

  private func trace(_ goldens: Goldens, run: RunOptions = RunOptions()) throws -> Traced {
    let traced = Traced()
    var options = GenerationOptions()
    options.decoderSteps = try #require(goldens.notes["decoder"]?["steps"]?.int)
    try Trace.textToImage(
      Model(path: goldens.checkpoint), prompt: Self.captions[0], options: options, run: run,
      noise: Noise.read(path: goldens.file)
    ) { traced.add($0) }
    return traced
  }

  @Test(arguments: Goldens.names) func traceEqualsPyTorch(name: String) throws {
    let goldens = try Goldens(name)
    let traced = try trace(goldens)
    let expected = goldens.tensorNames.filter(Self.isOfThisPath)
    #expect(Set(traced.values.keys) == Set(expected))
    for golden in expected.sorted() {
      let values = try #require(traced.values[golden])
      #expect(traced.shapes[golden] == goldens.shape(golden), "\(golden)")
      if golden == "decoder.rgb" {
        let worst = zip(values, try goldens.values(golden)).map { abs($0 - $1) }.max()!
        #expect(worst <= 1)
      } else {
        let error = relativeError(values, try goldens.values(golden))
        #expect(error <= Self.limit(golden), "\(golden): \(error)")
      }
    }
  }

  /// The decoder's parts on PyTorch's own inputs, so that no earlier drift is in them.
  @Test(arguments: Goldens.names) func singleCallsEqualPyTorchOnItsOwnInputs(name: String) throws {
    let goldens = try Goldens(name)
    let model = try Model(path: goldens.checkpoint)
    let vae = try model.vaeDecoder()
    let latents = try goldens.values("vae.random.latent").map(Float.init)
    let scale = vae.config.scale
    let image = try run { run -> [Float] in
      let z = run.take(height: 8, width: 8, channels: vae.config.latentChannels)
      run.fill(z) { $0.update(ChannelOrder.last(latents, channels: vae.config.latentChannels), at: 0) }
      let image = run.take(height: 8 * scale, width: 8 * scale, channels: 3)
      try vae.forward(run, z, into: image)
      return run.isPlanning ? [] : ChannelOrder.first(image.values, channels: 3)
    }
    #expect(relativeError(image.map(Double.init), try goldens.values("vae.random.image")) <= 1e-5)

    let unet = try model.unet()
    let shape = try #require(goldens.shape("unet.input"))
    let (input, prompt) = (
      try goldens.values("unet.input").map(Float.init), try goldens.values("decoder.prompt").map(Float.init)
    )
    let pooled = try goldens.values("decoder.pooled").map(Float.init)
    let timestep = Float(try goldens.values("decoder.timesteps")[0])
    let side = shape[2] * scale
    let noise = try run { run -> [Float] in
      let x = run.take(batch: 2, height: shape[2], width: shape[3], channels: shape[1])
      let size = input.count / 2
      run.fill(x) { values in
        for row in 0..<2 {
          values.update(
            ChannelOrder.last(Array(input[row * size..<(row + 1) * size]), channels: shape[1]), at: row * size)
        }
      }
      let width = unet.config.contextWidth
      let context = run.take(batch: 2, width: prompt.count / width / 2, channels: width)
      run.fill(context) { $0.update(prompt, at: 0) }
      let mean = run.take(batch: 2, width: 1, channels: width)
      run.fill(mean) { $0.update(pooled, at: 0) }
      let noise = run.take(like: x)
      let made = try unet.context(run, context, pooled: mean, timeIDs: [1024, 1024, 0, 0, side, side])
      try unet.forward(run, x, timestep: timestep, made, into: noise)
      return run.isPlanning
        ? []
        : (0..<2).flatMap { ChannelOrder.first(noise.sample($0).values, channels: shape[1]) }
    }
    #expect(relativeError(noise.map(Double.init), try goldens.values("unet.output")) <= 1e-5)
  }

  private func run<Result>(_ body: (Execution) throws -> Result) throws -> Result {
    let byteCount = try Execution.plan { _ = try body($0) }
    return try body(Execution(arenaByteCount: byteCount, threadCount: 2))
  }

  @Test(arguments: Goldens.names) func secondPromptEqualsPyTorch(name: String) throws {
    let goldens = try Goldens(name)
    let model = try Model(path: goldens.checkpoint)
    let pipeline = try TextToImage(model)
    let prompt = try model.prompt(TextToImage.template(Self.captions[1]), [])
    let hidden = try pipeline.runner.conditions(model, [("cond", prompt)])[0]
    #expect(relativeError(hidden.map(Double.init), try goldens.values("query.cond1.hidden")) <= 1e-5)
  }

  @Test(arguments: Goldens.names) func tokensEqualThoseOfTheTokenizersLibrary(name: String) throws {
    let goldens = try Goldens(name)
    let tokenizer = try Model(path: goldens.checkpoint).tokenizer
    let strings = try #require(goldens.notes["tokenizer"]?["strings"]?.array)
    #expect(strings.count > 60)
    for row in strings {
      let text = try #require(row["text"]?.string)
      let ids = try #require(row["ids"]?.array).compactMap(\.int)
      #expect(tokenizer.encode(text) == ids, "\(text.debugDescription)")
      #expect(tokenizer.decode(ids) == row["decoded"]?.string)
      #expect(tokenizer.decode(ids, skipSpecial: true) == row["decoded_skip_special"]?.string)
    }
    #expect(
      TextToImage.template(Self.captions[0]) == goldens.notes["text"]?["prompt"]?.string)
  }

  /// Same input, same bytes, whatever the number of threads.
  @Test func threadsChangeNothing() throws {
    let goldens = try Goldens("awkward")
    let one = try trace(goldens, run: RunOptions(threadCount: 1))
    let five = try trace(goldens, run: RunOptions(threadCount: 5))
    #expect(one.values == five.values)
  }

  @Test func productsInBF16StayClose() throws {
    let goldens = try Goldens("tiny")
    let narrow = try trace(goldens, run: RunOptions(mode: .bf16))
    let hidden = relativeError(
      try #require(narrow.values["query.cond.hidden"]), try goldens.values("query.cond.hidden"))
    #expect(hidden > 1e-6 && hidden < 3e-2)
  }
}
