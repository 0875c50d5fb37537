import Foundation
import JSONText
import NetworkRuntime
import Networks
import Pictures
import Testing
import TestSupport
import Tokenization

@testable import Blip3o

/// Everything on the way from a picture equals PyTorch, on three configurations.
@Suite struct ImageGoldenTests {
  private static let question = "What is in the picture?"

  private func picture(_ number: Int) throws -> Picture {
    try Picture(path: Bundle.module.resourceURL!.appendingPathComponent("Fixtures/image\(number).png").path)
  }

  /// Picture 0 has the goldens of the reconstruction, picture 1 those of the question.
  @Test(arguments: Goldens.names, [0, 1]) func traceEqualsPyTorch(name: String, number: Int) throws {
    let goldens = try Goldens(name)
    let traced = Traced()
    try Trace.imageToText(
      Model(path: goldens.checkpoint), picture: picture(number), question: Self.question, run: RunOptions()
    ) { traced.add($0) }
    var compared = 0
    for (name, values) in traced.values {
      if name.hasPrefix("i2t.") && number == 0 || name.hasPrefix("query.reconstruct") && number == 1 { continue }
      let golden = name.replacingOccurrences(of: "vision.0.", with: "vision.\(number).")
      guard !name.hasPrefix("eva."), goldens.shape(golden) != nil else { continue }
      #expect(traced.shapes[name] == goldens.shape(golden), "\(golden)")
      let error = relativeError(values, try goldens.values(golden))
      let isExact = ["resized", "window_index", "cu_window_seqlens", "ids", "positions"].contains { name.hasSuffix($0) }
      #expect(error <= (isExact ? 0 : name.hasSuffix("pixel_values") ? 1e-6 : 1e-5), "\(golden): \(error)")
      compared += 1
    }
    #expect(compared >= 6)
  }

  @Test(arguments: Goldens.names) func evaTowerEqualsPyTorch(name: String) throws {
    let goldens = try Goldens(name)
    let encoder = try PictureEncoder(Model(path: goldens.checkpoint))
    let patches = try encoder.patches(try goldens.values("eva.input").map(Float.init))
    #expect(relativeError(patches.map(Double.init), try goldens.values("eva.features")) <= 1e-5)
    #expect(relativeError(encoder.pool(patches).values.map(Double.init), try goldens.values("eva.pooled")) <= 1e-5)
  }

  /// Greedy and penalised continuations, of text alone and of a picture.
  @Test(arguments: Goldens.names) func continuationsEqualPyTorch(name: String) throws {
    let goldens = try Goldens(name)
    let conversation = try Conversation(Model(path: goldens.checkpoint))
    for (part, pictures) in [("text", []), ("image_to_text", [try picture(1)])] {
      for (key, sampling) in [("greedy", SamplingOptions.greedy), ("greedy_penalty_1.05", SamplingOptions())] {
        let expected = try #require(goldens.notes[part]?[key])
        let text =
          part == "text"
          ? try #require(goldens.notes["text"]?["prompt"]?.string)
          : ChatTemplate.text(
            [.init(role: "user", content: ChatTemplate.image + Self.question)], addsGenerationPrompt: true)
        var streamed = ""
        let answer = try conversation.complete(
          conversation.prompt(text, pictures), sampling: sampling, maxTokens: 16, ignoresEnd: true
        ) { streamed += $0 }
        #expect(answer.ids == expected["ids"]?.array?.compactMap(\.int), "\(part) \(key)")
        #expect(answer.text == expected["text"]?.string)
        #expect(streamed == answer.text)
      }
    }
  }

  /// The logits of every token with the cache are those of the full pass.
  @Test(arguments: Goldens.names) func cacheChangesNothing(name: String) throws {
    let model = try Model(path: Goldens(name).checkpoint)
    let language = try model.languageModel()
    let config = model.language
    let ids = (0..<256).map { ($0 * 37 + 11) % config.vocabularySize }
    func logits(_ run: Execution, _ ids: [Int], from first: Int, cache: KeyValueCache?) throws -> [Float] {
      let x = run.take(width: ids.count, channels: config.hiddenSize)
      try language.embed(run, ids: ids, into: x)
      try language.forward(run, x, positions: (first..<first + ids.count).map { ($0, $0, $0) }, cache: cache)
      let out = run.take(width: ids.count, channels: config.vocabularySize)
      try language.logits(run, x, into: out)
      let values = run.isPlanning ? [] : Array(out.values)
      run.give(out)
      run.give(x)
      return values
    }
    func once(_ ids: [Int], from first: Int, cache: KeyValueCache?) throws -> [Float] {
      let byteCount = try Execution.plan { _ = try logits($0, ids, from: first, cache: cache) }
      return try logits(Execution(arenaByteCount: byteCount, threadCount: 2), ids, from: first, cache: cache)
    }
    let full = try once(ids, from: 0, cache: nil)
    let cache = try KeyValueCache(config, capacity: ids.count)
    var cached = try once(Array(ids[..<100]), from: 0, cache: cache)
    cache.advance(by: 100)
    for token in 100..<256 {
      cached += try once([ids[token]], from: token, cache: cache)
      cache.advance(by: 1)
    }
    #expect(relativeError(cached.map(Double.init), full.map(Double.init)) <= 1e-5)
  }

  @Test func picturesAreConditions() throws {
    let model = try Model(path: Goldens("tiny").checkpoint)
    var options = GenerationOptions()
    (options.steps, options.decoderSteps) = (2, 2)
    let plain = try TextToImage(model, options).picture("Please reconstruct the given image.")
    let seen = try TextToImage(model, options).picture("Please reconstruct the given image.", image: picture(0))
    #expect(plain.width == seen.width && plain != seen)
    func painted(_ values: [Float], _ negative: [Float]?) throws -> Picture {
      try TextToImage(model, options).picture(features: CLIPFeatures(values: values, negative: negative))
    }
    #expect(throws: ModelError.self) { _ = try painted([1, 2], nil) }
    let dit = try model.ditConfig()
    let features = [Float](repeating: 0.1, count: dit.gridSide * dit.gridSide * dit.channels)
    #expect(throws: ModelError.self) { _ = try painted(features, [1]) }
    #expect(try painted(features, features.map { -$0 }).width == plain.width)
  }

  @Test func severalPicturesAndTheirPositions() throws {
    var positions = Positions()
    positions.append(tokens: 2)
    positions.append(pictureOf: 2, by: 3)
    positions.append(tokens: 1)
    #expect(positions.list.map(\.time) == [0, 1, 2, 2, 2, 2, 2, 2, 5])
    #expect(positions.list.map(\.row) == [0, 1, 2, 2, 2, 3, 3, 3, 5])
    #expect(positions.list.map(\.column) == [0, 1, 2, 3, 4, 2, 3, 4, 5])
    let conversation = try Conversation(Model(path: Goldens("tiny").checkpoint))
    let answer = try conversation.answer(
      [.init(role: "user", content: ChatTemplate.image + ChatTemplate.image + "Differ?")],
      pictures: [picture(0), picture(1)], maxTokens: 2, ignoresEnd: true)
    #expect(answer.ids.count == 2)
    #expect(throws: ModelError.self) {
      _ = try conversation.answer([.init(role: "user", content: "no place")], pictures: [picture(0)])
    }
  }

  @Test(arguments: [
    (100, 130, 140, 112), (200, 310, 308, 196), (1, 1, 56, 56), (5000, 5000, 3556, 3556), (3000, 4000, 4004, 2996),
  ]) func sizesFollowTheRule(height: Int, width: Int, newWidth: Int, newHeight: Int) throws {
    let preprocessor = ImagePreprocessor(try Model(path: Goldens("tiny").checkpoint).visionTower().config)
    let size = try preprocessor.size(width: width, height: height)
    #expect(size == (newWidth, newHeight))
  }

  @Test func samplingIsRepeatableAndObeysItsLimits() throws {
    func draw(_ options: SamplingOptions, _ logits: [Float]) -> [Int] {
      var sampler = Sampler(options, prompt: [])
      return (0..<200).map { _ in
        var copy = logits
        return copy.withUnsafeMutableBufferPointer { sampler.next($0) }
      }
    }
    var options = SamplingOptions.greedy
    options.temperature = 1
    let logits: [Float] = [0, 1, 2, 3, 0.5]
    #expect(draw(options, logits) == draw(options, logits))
    #expect(Set(draw(options, logits)).count > 2)
    options.topK = 2
    #expect(Set(draw(options, logits)) == [2, 3])
    options.topK = nil
    options.topP = 0.5
    #expect(Set(draw(options, logits)) == [3])
    var penalised = SamplingOptions()
    penalised.repetitionPenalty = 100
    // Each token, once taken, is far less likely: all come in turn.
    #expect(Set(draw(penalised, [5, 4, 3]).prefix(3)) == [0, 1, 2])
  }
}
