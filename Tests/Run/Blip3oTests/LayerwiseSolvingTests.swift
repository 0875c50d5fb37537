import Conversion
import Encodings
import InputStatistics
import ModelSources
import NetworkRuntime
import Observation
import Quantization
import Tensors
import Testing
import TestSupport

@testable import Blip3o

/// A model that is quantized while it runs: each layer for what the layers before it make as they are by then.
@Suite struct LayerwiseSolvingTests {
  private static let path = Repository.path("miniature/model")
  private static let texts = [
    "A red star above a blue ring on a white background.", "A green square on a black background.",
    "A small yellow circle left of a purple triangle.",
  ]

  private struct Work {
    let model: Model
    let threads: Int
    var cancellation = Cancellation()

    init(threads: Int = 2) throws {
      model = try Model(path: LayerwiseSolvingTests.path)
      self.threads = threads
    }

    var readings: [StagedReading] {
      let run = RunOptions(threadCount: threads, mode: .f32, cancellation: cancellation)
      return texts.map { StagedReading(ids: model.tokenizer.encode($0), run: run) }
    }

    var paintings: [StagedPainting] {
      var options = GenerationOptions()
      (options.steps, options.decoderSteps) = (1, 1)
      let run = RunOptions(threadCount: threads, mode: .f32, cancellation: cancellation)
      return [StagedPainting(prompt: texts[0], options: options, run: run)]
    }

    func solving(paints: Bool = false) -> LayerwiseSolving {
      LayerwiseSolving(
        model, paintings: paints ? paintings : [], readings: readings, pictureWeight: 1, threadCount: threads)
    }
  }

  /// Tensors by pattern in 4 bits, the others as they are.
  private static func options(_ patterns: [String], threads: Int = 2) -> ConversionOptions {
    ConversionOptions(
      recipe: .init(
        defaultEncoding: nil, rules: patterns.map { .init(pattern: $0, action: .encode(BookEncoding.book4)) }),
      resources: Resources(threadCount: threads))
  }

  /// Solves, writes the file, and removes what was solved.
  private static func quantize(_ patterns: [String], to path: String, threads: Int = 2, paints: Bool = false) throws {
    let work = try Work(threads: threads)
    var options = options(patterns, threads: threads)
    let source = try ModelSource(path: Self.path)
    let plan = try ConversionPlan(source: source, options: options)
    let solved = try SolvedTensors.open(beside: path, for: plan.identity)
    try work.solving(paints: paints).solve(plan, into: solved) { _ in }
    options.solved = solved
    try Converter.run(ConversionPlan(source: source, options: options), to: path)
    solved.remove()
  }

  private static func values(_ path: String, _ prefix: String) throws -> [String: [UInt8]] {
    let source = try ModelSource(path: path)
    var values: [String: [UInt8]] = [:]
    for (number, tensor) in source.tensors.enumerated() where tensor.info.name.text.hasPrefix(prefix) {
      let buffer = try AlignedBuffer(byteCount: tensor.info.byteCount)
      try source.read(number, at: 0, into: buffer.bytes)
      values[tensor.info.name.text] = Array(buffer.bytes)
    }
    return values
  }

  /// Layer 1 is what statistics of a file make of it in which layer 0 alone is quantized.
  @Test func aLayerIsSolvedForWhatTheQuantizedOnesBeforeItMake() throws {
    let folder = TemporaryFolder()
    try Self.quantize(["llm.layers.0.*", "llm.layers.1.*"], to: folder["both"])
    try Self.quantize(["llm.layers.0.*"], to: folder["first"])
    #expect(folder.names == ["both", "first"])
    let first = try Self.values(folder["first"], "llm.layers.0.")
    #expect(try first.count > 8 && first == Self.values(folder["both"], "llm.layers.0."))

    func second(_ path: String, _ name: String) throws -> [String: [UInt8]] {
      let model = try Model(path: path)
      let calibrator = Calibrator(
        weights: Set(model.quantizableWeights), logitsPath: nil, blockColumns: { $0 }, pictureWeight: 1, threadCount: 2)
      for text in Self.texts {
        _ = try ReadingRun(model, ids: model.tokenizer.encode(text), run: RunOptions(threadCount: 2, mode: .f32))
          .run(observers: [calibrator])
      }
      try StatisticsWriter.write(
        calibrator.moments, StatisticsSettings(given: .null, counts: [:]), to: folder[name + ".safetensors"])
      var options = Self.options(["llm.layers.1.*"])
      options.statistics = try StatisticsFile(path: folder[name + ".safetensors"])
      try Converter.run(ConversionPlan(source: ModelSource(path: Self.path), options: options), to: folder[name])
      return try Self.values(folder[name], "llm.layers.1.")
    }
    let expected = try Self.values(folder["both"], "llm.layers.1.")
    #expect(try second(folder["first"], "by quantized") == expected)
    #expect(try second(Self.path, "by exact") != expected)
  }

  private static let everywhere = ["vision.blocks.0.*", "llm.layers.*", "dit.layers.0.*", "unet.mid_block.*"]

  /// The same bytes with other threads, after a stop in the middle, and where some of what was kept has been damaged.
  @Test func aStoppedRunGoesOnToTheSameBytes() throws {
    let folder = TemporaryFolder()
    try Self.quantize(Self.everywhere, to: folder["whole"], threads: 3, paints: true)

    let source = try ModelSource(path: Self.path)
    var options = Self.options(Self.everywhere)
    let plan = try ConversionPlan(source: source, options: options)
    for stopAfter in [3, 6] {
      let work = try Work()
      var rounds = 0
      #expect(throws: FileError.cancelled) {
        try work.solving(paints: true).solve(
          plan, into: SolvedTensors.open(beside: folder["parts"], for: plan.identity)
        ) { _ in
          rounds += 1
          if rounds == stopAfter { work.cancellation.cancel() }
        }
      }
    }
    #expect(folder.names == ["parts.solved", "whole"])
    let kept = try Folder.names(in: folder["parts.solved"])
    #expect(kept.count > 20)
    var bytes = folder.bytes(of: "parts.solved/" + kept[0])
    bytes[bytes.count / 2] ^= 0x10
    folder.write(bytes, to: "parts.solved/" + kept[0])

    do {
      let solved = try SolvedTensors.open(beside: folder["parts"], for: plan.identity)
      #expect(solved.count >= kept.count - 1)
      // Another process at the same work would spoil it.
      #expect(throws: FileError.self) { try SolvedTensors.open(beside: folder["parts"], for: plan.identity) }
      let work = try Work(threads: 1)
      try work.solving(paints: true).solve(plan, into: solved) { _ in }
      options.solved = solved
      try Converter.run(ConversionPlan(source: source, options: options), to: folder["parts"])
      solved.remove()
    }
    #expect(folder.names == ["parts", "whole"])
    #expect(folder.bytes(of: "parts") == folder.bytes(of: "whole"))
  }

  /// Beside a head an embedding is looked up in alone: it is quantized from the start, and nobody misses data for it. The head is solved for
  /// all tokens' logits.
  @Test func anEmbeddingIsQuantizedFirstAndAHeadIsSolved() throws {
    let folder = TemporaryFolder()
    var options = Self.options(["llm.embed_tokens.weight", "llm.lm_head.weight", "llm.layers.3.mlp.*"])
    let source = try ModelSource(path: Self.path)
    let plan = try ConversionPlan(source: source, options: options)
    #expect(plan.tableNames == ["llm.embed_tokens.weight"] && plan.matrixNames.contains("llm.lm_head.weight"))
    let solved = try SolvedTensors.open(beside: folder["q"], for: plan.identity)
    try Work().solving().solve(plan, into: solved) { _ in }
    #expect(plan.trials(["llm.embed_tokens.weight"], in: solved).count == 1)
    #expect(solved.layers.last == ["llm.lm_head.weight"])
    options.solved = solved
    let outcomes = try Converter.run(ConversionPlan(source: source, options: options), to: folder["q"])
    for outcome in outcomes {
      let isTable = outcome.name == "llm.embed_tokens.weight"
      #expect(outcome.depth == (isTable ? .none : .feedback) && !outcome.fellShort, "\(outcome.name)")
    }
  }

  /// Tensors that no subject reaches are quantized by their weights alone.
  @Test func whatNothingReachesIsNotGuided() throws {
    let folder = TemporaryFolder()
    var options = Self.options(["dit.layers.0.*"])
    let source = try ModelSource(path: Self.path)
    let plan = try ConversionPlan(source: source, options: options)
    let solved = try SolvedTensors.open(beside: folder["q"], for: plan.identity)
    try Work().solving().solve(plan, into: solved) { _ in }
    #expect(solved.count == 0)
    options.solved = solved
    let outcomes = try Converter.run(ConversionPlan(source: source, options: options), to: folder["q"])
    #expect(!outcomes.isEmpty && outcomes.allSatisfy { $0.depth == .none })
    try Converter.run(plan, to: folder["plain"])
    #expect(folder.bytes(of: "q") == folder.bytes(of: "plain"))
  }

  @Test(arguments: [(1, 1), (250, 250), (6144, 6144), (6145, 3104), (18944, 4736), (12288, 6144)])
  func blocksAreAlikeAndMultiplesOf32(columns: Int, block: Int) {
    #expect(LayerwiseSolving.blockColumns(columns) == block)
  }
}
