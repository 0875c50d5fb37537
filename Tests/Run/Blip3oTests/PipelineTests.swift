import Conversion
import Encodings
import Foundation
import ModelSources
import Quantization
import Tensors
import Testing
import TestSupport

@testable import Blip3o
@testable import NetworkRuntime

@Suite struct PipelineTests {
  private func options() -> GenerationOptions {
    var options = GenerationOptions()
    options.steps = 2
    options.decoderSteps = 2
    return options
  }

  private func trace(_ path: String) throws -> Traced {
    let traced = Traced()
    try Trace.textToImage(
      Model(path: path), prompt: "a cat", options: options(), run: RunOptions(), noise: [:]
    ) { traced.add($0) }
    return traced
  }

  /// A quantized file computes what its dequantized weights compute, and a native file what its release computes.
  @Test(arguments: [GroupEncoding.int8, .int4]) func quantizedFilesRun(encoding: GroupEncoding) throws {
    let folder = TemporaryFolder()
    let goldens = try Goldens("awkward")
    let (small, wide) = (folder["small.bantam"], folder["wide.bantam"])
    try Converter.run(
      ConversionPlan(
        source: ModelSource(path: goldens.checkpoint),
        options: ConversionOptions(recipe: QuantizationRecipe(defaultEncoding: encoding))), to: small)
    try Converter.run(
      ConversionPlan(source: ModelSource(path: small), options: ConversionOptions(dtype: .f32)), to: wide)
    let (a, b) = (try trace(small), try trace(wide))
    #expect(a.values.keys == b.values.keys)
    for (name, values) in a.values {
      #expect(relativeError(values, try #require(b.values[name])) <= 1e-5, "\(name)")
    }
    let exact = try trace(goldens.checkpoint)
    #expect(relativeError(a.values["query.cond.hidden"]!, exact.values["query.cond.hidden"]!) > 1e-3)
  }

  @Test func nativeFileGivesTheReleasesPicture() throws {
    let folder = TemporaryFolder()
    let goldens = try Goldens("third")
    let native = folder["m.bantam"]
    try Converter.run(
      ConversionPlan(source: ModelSource(path: goldens.checkpoint), options: ConversionOptions()), to: native)
    func picture(_ path: String) throws -> [UInt8] {
      try TextToImage(Model(path: path), options()).picture("a cat").pixels
    }
    #expect(try picture(native) == picture(goldens.checkpoint))
  }

  @Test func seedsRepeatAndPicturesOfOneRunDiffer() throws {
    let model = try Model(path: Goldens("tiny").checkpoint)
    let first = try TextToImage(model, options())
    let (a, b) = (try first.picture("a cat"), try first.picture("a cat"))
    #expect(a != b)
    let second = try TextToImage(model, options())
    #expect(try second.picture("a cat") == a)
    #expect(try second.picture("a cat") == b)
    var other = options()
    other.seed = 1
    #expect(try TextToImage(model, other).picture("a cat") != a)
  }

  @Test func progressTellsEveryStep() throws {
    final class Steps: @unchecked Sendable { var list: [String] = [] }
    let steps = Steps()
    let run = RunOptions(progress: { steps.list.append("\($0.stage) \($0.step + 1)/\($0.stepCount)") })
    _ = try TextToImage(Model(path: Goldens("tiny").checkpoint), options(), run: run).picture("a cat")
    #expect(
      steps.list == [
        "prompt 1/2", "prompt 2/2", "features 1/2", "features 2/2", "features 1/2", "features 2/2", "decoder 1/2",
        "decoder 2/2", "picture 1/1",
      ])
  }

  // MARK: Memory

  /// A step uses the memory that was planned, and gives all of it back.
  @Test func stepsStayInThePlannedMemory() throws {
    let unet = try Model(path: Goldens("tiny").checkpoint).unet()
    let side = unet.config.sampleSize
    func step(_ run: Execution) throws {
      let x = run.take(batch: 2, height: side, width: side, channels: unet.config.inputChannels)
      let context = run.take(batch: 2, width: 64, channels: unet.config.contextWidth)
      let pooled = run.take(batch: 2, width: 1, channels: unet.config.contextWidth)
      let noise = run.take(like: x)
      let made = try unet.context(run, context, pooled: pooled, timeIDs: [64, 64, 0, 0, 64, 64])
      try unet.forward(run, x, timestep: 981, made, into: noise)
      [x, context, noise].forEach(run.give)
      unet.give(run, made)
    }
    let planned = try Execution.plan(step)
    let run = try Execution(arenaByteCount: planned, threadCount: 2)
    for _ in 0..<5 {
      try step(run)
      // The same places every time: memory that is lost in a step would push the peak.
      #expect(run.arena.peakByteCount == planned)
      #expect(run.arena.isEmpty)
    }
  }

  /// What is made once for all steps is as good at the last one: no step changes it.
  @Test func aContextServesManySteps() throws {
    let unet = try Model(path: Goldens("tiny").checkpoint).unet()
    let side = unet.config.sampleSize
    func noises(_ run: Execution, isRenewed: Bool) throws -> [[Float]] {
      let x = run.take(batch: 2, height: side, width: side, channels: unet.config.inputChannels)
      let features = run.take(batch: 2, width: 64, channels: unet.config.contextWidth)
      run.fill(features) { for index in $0.indices { $0[index] = Float(index % 13) / 13 - 0.5 } }
      let noise = run.take(like: x)
      let context = {
        let pooled = run.take(batch: 2, width: 1, channels: unet.config.contextWidth)
        run.fill(pooled) { for index in $0.indices { $0[index] = Float(index % 7) / 7 - 0.5 } }
        return try unet.context(run, features, pooled: pooled, timeIDs: [64, 64, 0, 0, 64, 64])
      }
      var made = try context()
      let timesteps: [Float] = [981, 481, 1]
      return try timesteps.map { timestep in
        let factor = timestep / 11_000
        run.fill(x) { for index in $0.indices { $0[index] = Float(index % 11) * factor - 0.5 } }
        if isRenewed {
          unet.give(run, made)
          made = try context()
        }
        try unet.forward(run, x, timestep: timestep, made, into: noise)
        return run.isPlanning ? [] : Array(noise.values)
      }
    }
    let planned = try Execution.plan { _ = try noises($0, isRenewed: true) }
    let (kept, renewed) = try (
      noises(Execution(arenaByteCount: planned, threadCount: 2), isRenewed: false),
      noises(Execution(arenaByteCount: planned, threadCount: 2), isRenewed: true)
    )
    #expect(kept == renewed && Set(kept).count == 3 && kept[0].contains { $0 != 0 })
  }

  // MARK: What can go wrong

  @Test func missingComponentsAreNamed() throws {
    let folder = TemporaryFolder()
    let path = folder["part.bantam"]
    try Converter.run(
      ConversionPlan(
        source: ModelSource(path: Goldens("tiny").checkpoint), options: ConversionOptions(components: ["llm", "dit"])),
      to: path)
    let model = try Model(path: path)
    #expect(throws: ModelError.componentMissing(path: path, name: "queries", has: ["llm", "dit"])) {
      _ = try TextToImage(model)
    }
    #expect(throws: ModelError.componentMissing(path: path, name: "unet", has: ["llm", "dit"])) {
      _ = try model.unet()
    }
  }

  @Test(arguments: [0, -64, 33, 8192]) func sizesThatDoNotDivideAreRefused(size: Int) throws {
    let model = try Model(path: Goldens("tiny").checkpoint)
    var options = options()
    options.size = size
    #expect(throws: ModelError.size(size, multiple: 32, limit: 4096)) { _ = try TextToImage(model, options) }
    options.size = 96
    #expect(try TextToImage(model, options).picture("a cat").width == 96)
  }

  @Test func promptsBeyondThePositionsAreRefused() throws {
    let model = try Model(path: Goldens("tiny").checkpoint)
    let limit = model.language.maxPositions - model.language.queryCount - 1
    let prompt = String(repeating: "x ", count: limit)
    #expect {
      _ = try TextToImage(model, options()).picture(prompt)
    } throws: {
      guard case .promptTooLong(let count, limit) = $0 as? ModelError else { return false }
      return count > limit
    }
  }

  @Test func stepsOutOfRangeAreRefused() throws {
    let model = try Model(path: Goldens("tiny").checkpoint)
    for (steps, decoderSteps) in [(0, 4), (1001, 4), (4, 0), (4, 1001)] {
      var options = options()
      (options.steps, options.decoderSteps) = (steps, decoderSteps)
      #expect(throws: ModelError.self) { _ = try TextToImage(model, options) }
    }
  }

  /// Given noise is for the first picture; the next ones differ.
  @Test func givenNoiseIsUsedOnce() throws {
    let goldens = try Goldens("tiny")
    var all = options()
    let noise = try Noise.read(path: goldens.file)
    let pipeline = try TextToImage(Model(path: goldens.checkpoint), all, noise: noise)
    let (a, b) = (try pipeline.picture("a cat"), try pipeline.picture("a cat"))
    #expect(a != b)
    all.seed = 9
    #expect(try TextToImage(Model(path: goldens.checkpoint), all, noise: noise).picture("a cat") == a)
  }

  /// The same noise out of safetensors and out of a npz archive, there also as NumPy makes it: f64.
  @Test func noiseMayComeFromNumPy() throws {
    let (folder, names) = (TemporaryFolder(), ["dit.noise.cond", "decoder.noise"])
    let values: [Float] = [0.5, -1.25, 3]
    let single = values.flatMap { little($0.bitPattern) }
    let double = values.flatMap { little(Double($0).bitPattern) }
    func npy(_ descr: String, _ data: [UInt8]) -> [UInt8] {
      let header = "{'descr': '\(descr)', 'fortran_order': False, 'shape': (1, 3), }\n"
      return [0x93] + Array("NUMPY".utf8) + [1, 0] + little(UInt16(header.utf8.count)) + Array(header.utf8) + data
    }
    let plain = folder.write(
      SafetensorsFile.bytes(names.map { ($0, "F32", [1, 3], single) }), to: "noise.safetensors")
    let archive = folder.write(
      ZipFile([.init(names[0] + ".npy", npy("<f4", single)), .init(names[1] + ".npy", npy("<f8", double))]).bytes(),
      to: "noise.npz")
    #expect(try Noise.read(path: archive) == Noise.read(path: plain))
    #expect(try Noise.read(path: plain) == [names[0]: values, names[1]: values])
  }

  @Test func noiseOfAnotherSizeIsRefused() throws {
    let model = try Model(path: Goldens("tiny").checkpoint)
    let pipeline = try TextToImage(model, options(), noise: ["dit.noise.cond": [1, 2, 3]])
    #expect(throws: ModelError.self) { _ = try pipeline.picture("a cat") }
  }

  /// A weight that is not a number: the first operation that it reaches is named.
  @Test(arguments: [
    ("model.layers.1.mlp.up_proj.weight", "llm.layers.1.mlp.up_proj"),
    ("model.dit.model.layers.1.attn2.to_q.weight", "dit.layers.1.attn2.to_q"),
    (
      "mid_block.attentions.0.transformer_blocks.0.attn2.to_k.weight",
      "unet.mid_block.attentions.0.transformer_blocks.0.attn2.to_k"
    ),
  ]) func nonFiniteActivationsAreNamedWhereTheyFirstAppear(tensor: String, operation: String) throws {
    let folder = TemporaryFolder()
    let goldens = try Goldens("tiny")
    try FileManager.default.copyItem(atPath: goldens.checkpoint, toPath: folder["m"])
    let source = try ModelSource(path: folder["m"])
    let found = try #require(source.tensors.first { $0.info.name.text == tensor })
    let handle = try #require(FileHandle(forUpdatingAtPath: folder["m/" + found.file]))
    try handle.seek(toOffset: UInt64(found.offset + 2 * (found.info.matrix.columns + 1)))
    // A bf16 NaN.
    try handle.write(contentsOf: [0xC0, 0x7F])
    try handle.close()
    #expect {
      _ = try TextToImage(Model(path: folder["m"]), options()).picture("a cat")
    } throws: {
      guard case .nonFinite(operation, let count, _) = $0 as? RuntimeError else { return false }
      return count > 0
    }
  }
}
