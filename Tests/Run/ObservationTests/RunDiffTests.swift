import Blip3o
import Comparison
import Conversion
import Encodings
import Foundation
import ModelSources
import NetworkRuntime
import Observation
import Pictures
import Quantization
@testable import Samples
import Tensors
import Testing
import TestSupport

@Suite struct RunDiffTests {
  private static let folder: TemporaryFolder = {
    let folder = TemporaryFolder()
    let writer = try! SampleWriter(
      scale: .tiny, seed: 0, components: ["vision", "queries", "llm", "dit", "unet", "vae"])
    try! writer.write(to: folder["m"], resources: Resources())
    for encoding in [GroupEncoding.int8, .int4] { quantize(folder["m"], to: folder[encoding.shortName], encoding) }
    return folder
  }()

  private static func quantize(_ source: String, to path: String, _ encoding: GroupEncoding) {
    let options = ConversionOptions(recipe: QuantizationRecipe(defaultEncoding: encoding))
    try! Converter.run(ConversionPlan(source: ModelSource(path: source), options: options), to: path)
  }

  private static let options: GenerationOptions = {
    var options = GenerationOptions()
    (options.steps, options.decoderSteps, options.size) = (2, 2, 64)
    return options
  }()

  private func paint(_ model: Model) -> any ObservedRun { PaintingRun(model, prompt: "a cat", options: Self.options) }

  private func ask(_ model: Model) -> any ObservedRun {
    var generator = SeededGenerator(3)
    let picture = Picture(width: 120, height: 90, pixels: generator.bytes(120 * 90 * 3))
    return AnsweringRun(model, pictures: [picture], question: "What?", maxTokens: 6)
  }

  private func model(_ name: String) throws -> Model { try Model(path: Self.folder[name]) }

  @Test func equalModelsDifferInNothing() throws {
    for request in [paint, ask] {
      let diff = try RunDiff(request(model("m")), request(model("m")))
      #expect(diff.rows.count > 50 && diff.rows.allSatisfy { $0.values.changedCount == 0 })
      #expect(diff.suspects().isEmpty && diff.logits.meanKL == 0 && diff.logits.topAgreement == 1)
      #expect(diff.firstDifferentToken == nil)
    }
    #expect(try RunDiff(paint(model("m")), paint(model("m"))).picturePSNR == .infinity)
  }

  /// The figures are those of two traces, computed in f64.
  @Test(arguments: ["int8", "int4"]) func figuresAreThoseOfTwoTraces(name: String) throws {
    func trace(_ name: String) throws -> [String: [Float]] {
      var found: [String: [Float]] = [:]
      try Trace.textToImage(
        model(name), prompt: "a cat", options: Self.options, run: RunOptions(), noise: [:],
        only: ["query.cond/*", "unet/*", "vae/*", "llm.logits"]
      ) { found[$0.info.name.text] = Array($0.bytes.bindMemory(to: Float.self)) }
      return found
    }
    let (a, b) = (try trace("m"), try trace(name))
    let diff = try RunDiff(paint(model("m")), paint(model(name)))
    var compared = 0
    for row in diff.rows where row.phase == "query.cond" || row.phase == "decoder" || row.phase == "vae" {
      let key = (row.phase == "decoder" ? "unet" : row.phase) + "/" + row.path
      guard let x = a[key], let y = b[key] else { continue }
      var (signal, noise, largest) = (0.0, 0.0, 0.0)
      for (p, q) in zip(x, y) {
        signal += Double(p) * Double(p)
        noise += (Double(p) - Double(q)) * (Double(p) - Double(q))
        largest = max(largest, abs(Double(p) - Double(q)))
      }
      if noise == 0 {
        #expect(row.values.changedCount == 0)
      } else {
        #expect(
          abs(row.values.sqnrDecibels - 10 * log10(signal / noise)) <= 1e-6 * abs(row.values.sqnrDecibels), "\(key)")
        #expect(abs(row.values.largestError - largest) <= 1e-6 * largest, "\(key)")
      }
      compared += 1
    }
    #expect(compared > 200)
    // The divergence of the logits, from its definition.
    let (p, q) = (try #require(a["llm.logits"]), try #require(b["llm.logits"]))
    let columns = try model("m").language.vocabularySize
    var total = 0.0
    for row in 0..<p.count / columns {
      let (x, y) = (
        p[row * columns..<(row + 1) * columns].map(Double.init), q[row * columns..<(row + 1) * columns].map(Double.init)
      )
      let (sx, sy) = (log(x.map { exp($0) }.reduce(0, +)), log(y.map { exp($0) }.reduce(0, +)))
      total += zip(x, y).reduce(0.0) { $0 + exp($1.0 - sx) * (($1.0 - sx) - ($1.1 - sy)) }
    }
    let expected = total / Double(p.count / columns)
    #expect(abs(diff.logits.meanKL - expected) <= 1e-6 * expected)
    #expect(
      diff.steps.map { "\($0.phase) \($0.step)" } == [
        "dit.sample.cond 0", "dit.sample.cond 1", "dit.sample.negative 0", "dit.sample.negative 1", "decoder 0",
        "decoder 1",
      ])
  }

  /// A damaged layer stands out, also where everything else is quantized: at 20 random places over all components.
  @Test func damageIsFound() throws {
    var generator = SeededGenerator(11)
    var found = 0
    var misses: [String] = []
    let components = ["llm", "dit", "unet", "vae", "vision"]
    for round in 0..<20 {
      let component = components[round % components.count]
      let work = TemporaryFolder()
      try FileManager.default.copyItem(atPath: Self.folder["m"], toPath: work["m"])
      let source = try ModelSource(path: work["m"])
      let tensors = try #require(try ModelMap(source).components.first { $0.name == component }).tensors.filter {
        let name = $0.name.text
        return source.tensors[$0.number].info.shape.count >= 2 && name.hasSuffix(".weight")
          && !name.contains("encoder.") && name != "vae.quant_conv.weight" && name != "llm.embed_tokens.weight"
      }
      let tensor = tensors[Int(generator.next() % UInt64(tensors.count))]
      let place = source.tensors[tensor.number]
      let handle = try #require(FileHandle(forUpdatingAtPath: work["m/" + place.file]))
      try handle.seek(toOffset: UInt64(place.offset))
      var bytes = [UInt8](try #require(try handle.read(upToCount: place.info.byteCount)))
      // Every third value changes its sign.
      for value in stride(from: 0, to: bytes.count / 2, by: 3) { bytes[2 * value + 1] ^= 0x80 }
      try handle.seek(toOffset: UInt64(place.offset))
      try handle.write(contentsOf: bytes)
      try handle.close()
      Self.quantize(work["m"], to: work["q"], .int8)
      let request = component == "vision" ? ask : paint
      let weights = try WeightDiff(
        ModelSource(path: Self.folder["m"]), ModelSource(path: work["q"]), resources: Resources()
      ).evidence
      let diff = try RunDiff(request(model("m")), request(Model(path: work["q"])), isLocal: round % 2 == 0)
      let expected = String(tensor.name.text.dropLast(".weight".count))
      let named = diff.suspects(weights).first?.name
      if named == expected { found += 1 } else { misses.append("\(expected): \(named ?? "none")") }
    }
    #expect(found >= 19, "\(misses)")
  }

  @Test(arguments: ["int8", "int4"], [true, false]) func soundModelsAreSilent(name: String, isLocal: Bool) throws {
    let weights = try WeightDiff(
      ModelSource(path: Self.folder["m"]), ModelSource(path: Self.folder[name]), resources: Resources()
    ).evidence
    for request in [paint, ask] {
      let diff = try RunDiff(request(model("m")), request(model(name)), isLocal: isLocal)
      #expect(diff.suspects(weights) == [])
      // What was replaced on the way says nothing of the end.
      #expect((diff.logits.count == 0 && diff.picturePSNR == nil && diff.steps.isEmpty) == isLocal)
    }
  }

  @Test func modelsOfOtherSizesAreRefused() throws {
    let folder = TemporaryFolder()
    let native = folder["part.bantam"]
    try Converter.run(
      ConversionPlan(
        source: ModelSource(path: Self.folder["m"]), options: ConversionOptions(components: ["llm", "vision"])),
      to: native)
    #expect(throws: ModelError.self) { try RunDiff(paint(model("m")), paint(Model(path: native))) }
    #expect(try RunDiff(ask(model("m")), ask(Model(path: native))).firstDifferentToken == nil)
  }
}
