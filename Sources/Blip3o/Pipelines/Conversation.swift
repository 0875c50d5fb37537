import Foundation
import Pictures
import Runtime
import Tensors
import Tokenization

/// Text from text and pictures: the vision tower, and the language model with a cache.
///
/// Source: Qwen2.5-VL; BLIP3-o's gradio application and evaluation adapter.
public final class Conversation {
  /// What one answer was made of, and how long it took.
  public struct Answer: Sendable {
    public let text: String
    public let ids: [Int]
    public let promptTokenCount: Int
    /// Whether the model ended the turn, rather than the limit.
    public let isComplete: Bool
    public let prefillSeconds: Double
    public let decodeSeconds: Double
  }

  public let model: Model
  private let language: LanguageModel
  private let runner: StageRunner

  public var reports: [StageReport] { runner.reports }

  /// - Throws: ``ModelError`` where the file has no language model.
  public init(_ model: Model, run: RunOptions = .init(), observer: (any Observer)? = nil) throws {
    try model.require("llm")
    self.model = model
    language = try model.languageModel()
    runner = StageRunner(run, observer: observer)
  }

  /// A prompt ready for the language model.
  struct Prompt {
    var ids: [Int]
    var positions: Positions
    /// Tokens of the pictures, `[tokens, hidden]`, in the order of their pads.
    var pictures: [Float]
  }

  /// Asks once.
  /// - Parameters:
  ///   - messages: the turns so far; ``ChatTemplate/image`` stands for a picture.
  ///   - pictures: in the order in which the messages name them.
  ///   - maxTokens: at most so many tokens of answer.
  ///   - ignoresEnd: whether the model's end of turn is passed over.
  ///   - stream: gets each piece of text as it comes.
  /// - Throws: ``ModelError``, ``RuntimeError``, ``PictureError``.
  public func answer(
    _ messages: [ChatTemplate.Message], pictures: [Picture] = [], sampling: SamplingOptions = .init(), maxTokens: Int = 1024,
    ignoresEnd: Bool = false, stream: @escaping (String) -> Void = { _ in }
  ) throws -> Answer {
    let text = ChatTemplate.text(messages, addsGenerationPrompt: true)
    let prompt = try self.prompt(text, pictures: pictures)
    return try complete(prompt, sampling: sampling, maxTokens: maxTokens, ignoresEnd: ignoresEnd, stream: stream)
  }

  /// Replaces each `<|image_pad|>` by as many as the picture has tokens, and looks at the pictures.
  func prompt(_ text: String, pictures: [Picture]) throws -> Prompt {
    var prompt = Prompt(ids: [], positions: Positions(), pictures: [])
    var left = pictures[...]
    for id in model.tokenizer.encode(text) {
      guard id == model.tokens.imagePad, let picture = left.popFirst() else {
        prompt.ids.append(id)
        prompt.positions.append(tokens: 1)
        continue
      }
      let (tokens, rows, columns) = try look(picture, number: pictures.count - left.count - 1)
      prompt.ids += Array(repeating: id, count: rows * columns)
      prompt.positions.append(pictureOf: rows, by: columns)
      prompt.pictures += tokens
    }
    guard left.isEmpty else {
      throw ModelError.option(
        name: "pictures", rule: "are \(pictures.count), but the prompt has a place for \(pictures.count - left.count)")
    }
    let limit = model.language.maxPositions - 1
    guard prompt.ids.count <= limit else {
      throw ModelError.promptTooLong(count: prompt.ids.count, limit: limit)
    }
    return prompt
  }

  /// A picture's tokens, `[rows * columns, hidden]`.
  func look(_ picture: Picture, number: Int) throws -> (tokens: [Float], rows: Int, columns: Int) {
    let tower = try model.visionTower()
    return try look(ImagePreprocessor(tower.config).resize(picture), tower, number: number)
  }

  /// The same for a picture whose sides are multiples of a cell.
  func look(_ picture: Picture, _ tower: VisionTower, number: Int) throws -> (tokens: [Float], rows: Int, columns: Int) {
    let input = ImagePreprocessor(tower.config).patches(picture)
    let (rows, columns) = (input.rows / tower.config.mergeSize, input.columns / tower.config.mergeSize)
    let tokens = try runner.stage("vision") { run in
      runner.enter(run, "vision.\(number)")
      runner.progress(run, "vision", step: 0, of: 1)
      let out = run.take(width: rows * columns, channels: tower.config.outputSize)
      let pixels = run.take(width: input.rows * input.columns, channels: tower.config.patchWidth)
      try runner.finite(run, out) {
        run.fill(pixels) { $0.update(input.pixels, at: 0) }
        try tower.forward(run, pixels, rows: input.rows, columns: input.columns, into: out)
      }
      let tokens = run.isPlanning ? [] : Array(out.values)
      run.give(pixels)
      run.give(out)
      return tokens
    }
    return (tokens, rows, columns)
  }

  /// Embeddings of a prompt, pictures in the places of their pads.
  func embed(_ run: Execution, _ prompt: Prompt, into x: Activation) throws {
    try language.embed(run, ids: prompt.ids, into: x)
    run.fill(x) { values in
      let hidden = model.language.hiddenSize
      var source = 0
      for (token, id) in prompt.ids.enumerated() where id == model.tokens.imagePad && source < prompt.pictures.count {
        values.update(Array(prompt.pictures[source..<source + hidden]), at: token * hidden)
        source += hidden
      }
    }
    try run.emit("llm.inputs_embeds", x)
  }

  private func complete(
    _ prompt: Prompt, sampling: SamplingOptions, maxTokens: Int, ignoresEnd: Bool, stream: @escaping (String) -> Void
  ) throws -> Answer {
    let config = model.language
    let capacity = min(config.maxPositions, prompt.ids.count + max(1, maxTokens))
    let cache = try KeyValueCache(config, capacity: capacity)
    var sampler = Sampler(sampling, prompt: prompt.ids)
    let vocabulary = config.vocabularySize
    if let bad = prompt.ids.first(where: { $0 >= vocabulary }) {
      throw ModelError.config(
        file: "config.json", key: "vocab_size", rule: "is \(vocabulary), but the tokenizer gives \(bad)")
    }
    let start = DispatchTime.now().uptimeNanoseconds
    var logits = try prefill(prompt, cache)
    let middle = DispatchTime.now().uptimeNanoseconds
    var ids: [Int] = []
    var isComplete = false
    var text = StreamedText(model.tokenizer, stream)
    let position = prompt.positions.next
    try runner.stage("decode") { run in
      guard !run.isPlanning else {
        _ = try decode(run, 0, position: position, cache)
        return
      }
      while ids.count < maxTokens {
        let id = logits.withUnsafeMutableBufferPointer { sampler.next($0) }
        if !ignoresEnd, id == model.tokens.endOfTurn || id == model.tokens.endOfText {
          isComplete = true
          break
        }
        ids.append(id)
        text.append(id)
        guard cache.count < capacity, ids.count < maxTokens else { break }
        runner.enter(run, "decode", step: ids.count - 1)
        logits = try decode(run, id, position: position + ids.count - 1, cache)
      }
    }
    text.finish()
    let end = DispatchTime.now().uptimeNanoseconds
    return Answer(
      text: text.all, ids: ids, promptTokenCount: prompt.ids.count, isComplete: isComplete,
      prefillSeconds: Double(middle - start) / 1e9, decodeSeconds: Double(end - middle) / 1e9)
  }

  /// All tokens of the prompt at once; the logits behind the last.
  private func prefill(_ prompt: Prompt, _ cache: KeyValueCache) throws -> [Float] {
    let logits = try runner.stage("prefill") { run in
      runner.enter(run, "prefill")
      runner.progress(run, "prefill", step: 0, of: 1)
      let x = run.take(width: prompt.ids.count, channels: model.language.hiddenSize)
      try runner.finite(run, x) {
        try embed(run, prompt, into: x)
        try language.forward(run, x, positions: prompt.positions.list, cache: cache)
      }
      let logits = try last(run, x)
      run.give(x)
      return logits
    }
    cache.advance(by: prompt.ids.count)
    return logits
  }

  /// One token behind those that the cache holds.
  private func decode(_ run: Execution, _ id: Int, position: Int, _ cache: KeyValueCache) throws -> [Float] {
    let x = run.take(width: 1, channels: model.language.hiddenSize)
    try runner.finite(run, x) {
      try language.embed(run, ids: [id], into: x)
      try language.forward(run, x, positions: [(position, position, position)], cache: cache)
    }
    let logits = try last(run, x)
    run.give(x)
    if !run.isPlanning { cache.advance(by: 1) }
    return logits
  }

  private func last(_ run: Execution, _ x: Activation) throws -> [Float] {
    let logits = run.take(width: 1, channels: model.language.vocabularySize)
    try language.logits(run, x.tokens(x.pixelCount - 1..<x.pixelCount), into: logits)
    let values = run.isPlanning ? [] : Array(logits.values)
    run.give(logits)
    return values
  }
}

/// Text as it comes: only whole characters are handed on.
private struct StreamedText {
  private let tokenizer: Tokenizer
  private let stream: (String) -> Void
  private var ids: [Int] = []
  private var shown = 0

  init(_ tokenizer: Tokenizer, _ stream: @escaping (String) -> Void) {
    self.tokenizer = tokenizer
    self.stream = stream
  }

  var all: String { tokenizer.decode(ids, skipSpecial: true) }

  mutating func append(_ id: Int) {
    ids.append(id)
    // A character that is still being spelt ends in a replacement character.
    let text = all
    guard !text.hasSuffix("\u{FFFD}") else { return }
    show(text)
  }

  mutating func finish() { show(all) }

  private mutating func show(_ text: String) {
    let scalars = text.unicodeScalars
    guard scalars.count > shown else { return }
    stream(String(String.UnicodeScalarView(scalars.dropFirst(shown))))
    shown = scalars.count
  }
}
