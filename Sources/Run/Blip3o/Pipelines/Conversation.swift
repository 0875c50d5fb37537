import NetworkRuntime
import Networks
import Pictures
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
  let runner: StageRunner
  private let defaults: AnswerDefaults

  public var reports: [StageReport] { runner.reports }

  /// How the model's own settings want answers drawn.
  public var defaultSampling: SamplingOptions { defaults.sampling }

  /// - Throws: ``ModelError`` where the file has no language model.
  public convenience init(_ model: Model, run: RunOptions = .init(), observers: [any Observer] = []) throws {
    try self.init(model, StageRunner(model, run, observers: observers))
  }

  init(_ model: Model, _ runner: StageRunner) throws {
    try model.require("llm")
    self.model = model
    language = try model.languageModel()
    self.runner = runner
    defaults = try model.answerDefaults()
  }

  /// Asks once.
  /// - Parameters:
  ///   - messages: the turns so far; ``ChatTemplate/image`` stands for a picture.
  ///   - pictures: in the order in which the messages name them.
  ///   - sampling: nil: as the model's own settings say.
  ///   - maxTokens: at most so many tokens of answer.
  ///   - ignoresEnd: whether the model's end of turn is passed over.
  ///   - stream: gets each piece of text as it comes.
  /// - Throws: ``ModelError``, ``RuntimeError``, ``PictureError``.
  public func answer(
    _ messages: [ChatTemplate.Message], pictures: [Picture] = [], sampling: SamplingOptions? = nil,
    maxTokens: Int = 1024,
    ignoresEnd: Bool = false, stream: @escaping (String) -> Void = { _ in }
  ) throws -> Answer {
    let text = ChatTemplate.text(messages, addsGenerationPrompt: true)
    // Whatever can be known to fail, a lack of memory too, is told before the pictures are looked at.
    try runner.rehearse {
      let prompt = try self.prompt(text, pictures)
      runner.hold(KeyValueCache.byteCount(model.language, capacity: capacity(prompt, maxTokens)))
      _ = try prefill(prompt, KeyValueCache(model.language, capacity: capacity(prompt, maxTokens), isPlanning: true))
    }
    let prompt = try self.prompt(text, pictures)
    return try complete(
      prompt, sampling: sampling ?? defaults.sampling, maxTokens: maxTokens, ignoresEnd: ignoresEnd, stream: stream)
  }

  /// Reads once, without an answer, for the observers.
  public func read(_ messages: [ChatTemplate.Message], pictures: [Picture]) throws {
    try pass(prompt(ChatTemplate.text(messages, addsGenerationPrompt: true), pictures))
  }

  /// Walks through what ``read(_:pictures:)`` would do, so that whatever can be known to fail is told before the work.
  public func check(_ messages: [ChatTemplate.Message], pictures: [Picture]) throws {
    try runner.rehearse { try pass(prompt(ChatTemplate.text(messages, addsGenerationPrompt: true), pictures)) }
  }

  /// Looks at the pictures and puts them into the text.
  func prompt(_ text: String, _ pictures: [Picture]) throws -> Prompt {
    var seen: [SeenPicture] = []
    if !pictures.isEmpty {
      let tower = try model.visionTower()
      let preprocessor = try model.preprocessor(tower.config, runner.options)
      for (number, picture) in pictures.enumerated() {
        seen.append(try runner.look(preprocessor.resize(picture), preprocessor, tower, number: number))
      }
    }
    let prompt = try model.prompt(text, seen)
    let limit = model.language.maxPositions - 1
    guard prompt.ids.count <= limit else {
      throw ModelError.promptTooLong(count: prompt.ids.count, limit: limit)
    }
    return prompt
  }

  /// Tokens that a conversation may come to.
  private func capacity(_ prompt: Prompt, _ maxTokens: Int) -> Int {
    prompt.ids.count + min(max(1, maxTokens), model.language.maxPositions - prompt.ids.count)
  }

  func complete(
    _ prompt: Prompt, sampling: SamplingOptions, maxTokens: Int, ignoresEnd: Bool, stream: @escaping (String) -> Void
  ) throws -> Answer {
    let capacity = capacity(prompt, maxTokens)
    let cache = try KeyValueCache(model.language, capacity: capacity)
    let endTokens = defaults.endTokens.isEmpty ? [model.tokens.endOfTurn, model.tokens.endOfText] : defaults.endTokens
    var sampler = Sampler(sampling, prompt: prompt.ids)
    let start = MonotonicClock.nanoseconds
    var logits = try prefill(prompt, cache)
    let middle = MonotonicClock.nanoseconds
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
        if !ignoresEnd, endTokens.contains(id) {
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
    let end = MonotonicClock.nanoseconds
    return Answer(
      text: text.all, ids: ids, promptTokenCount: prompt.ids.count, isComplete: isComplete,
      prefillSeconds: Double(middle - start) / 1e9, decodeSeconds: Double(end - middle) / 1e9)
  }

  /// One pass over a prompt without a cache, for the observers.
  /// - Parameter first: the first token behind which logits are wanted; nil: behind the last alone.
  /// - Throws: ``ModelError``, for tokens that come from elsewhere than the model's tokenizer too.
  func pass(_ prompt: Prompt, logitsFrom first: Int? = nil) throws {
    let (limit, vocabulary) = (model.language.maxPositions, model.language.vocabularySize)
    guard prompt.ids.count <= limit else { throw ModelError.promptTooLong(count: prompt.ids.count, limit: limit) }
    if let bad = prompt.ids.first(where: { !(0..<vocabulary).contains($0) }) {
      throw ModelError.option(name: "tokens", rule: "go up to \(vocabulary - 1), but one is \(bad)")
    }
    try runner.stage("prompt") { run in
      runner.enter(run, "i2t")
      runner.progress(run, "prompt", step: 0, of: 1)
      let count = prompt.ids.count
      let x = run.take(width: count, channels: model.language.hiddenSize)
      try language.embed(run, prompt, pad: model.tokens.imagePad, into: x)
      try language.forward(run, x, positions: prompt.positions.list)
      // A vocabulary is wide: a few rows at a time keep memory small.
      for start in stride(from: first ?? count - 1, to: count, by: Self.logitRowCount) {
        let rows = start..<min(start + Self.logitRowCount, count)
        let logits = run.take(width: rows.count, channels: model.language.vocabularySize)
        try language.logits(run, x.tokens(rows), into: logits)
        run.give(logits)
      }
      run.give(x)
    }
  }

  private static let logitRowCount = 32

  /// All tokens of the prompt at once; the logits behind the last.
  func prefill(_ prompt: Prompt, _ cache: KeyValueCache) throws -> [Float] {
    let logits = try runner.stage("prefill") { run in
      runner.enter(run, "prefill")
      runner.progress(run, "prefill", step: 0, of: 1)
      let x = run.take(width: prompt.ids.count, channels: model.language.hiddenSize)
      try runner.finite(run, x) {
        try language.embed(run, prompt, pad: model.tokens.imagePad, into: x)
        try language.forward(run, x, positions: prompt.positions.list, cache: cache)
      }
      let logits = try last(run, x)
      run.give(x)
      return logits
    }
    if !runner.isRehearsing { cache.advance(by: prompt.ids.count) }
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

/// Text as it comes: only whole characters are handed on, and each token is decoded once.
struct StreamedText {
  private let tokenizer: Tokenizer
  private let stream: (String) -> Void
  /// Bytes of a character that is still being spelt.
  private var open: [UInt8] = []
  private(set) var all = ""

  init(_ tokenizer: Tokenizer, _ stream: @escaping (String) -> Void) {
    self.tokenizer = tokenizer
    self.stream = stream
  }

  mutating func append(_ id: Int) {
    open += tokenizer.bytes(of: id, skipSpecial: true)
    show(open.count - Self.unfinishedCount(open))
  }

  mutating func finish() { show(open.count) }

  private mutating func show(_ count: Int) {
    guard count > 0 else { return }
    let text = String(decoding: open[..<count], as: UTF8.self)
    open.removeFirst(count)
    all += text
    stream(text)
  }

  /// How many of the last bytes begin a character whose end is still to come.
  private static func unfinishedCount(_ bytes: [UInt8]) -> Int {
    for length in 1...3 where length <= bytes.count {
      let lead = bytes[bytes.count - length]
      if lead & 0xC0 == 0x80 { continue }
      let needed = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : lead >= 0xC0 ? 2 : 1
      guard needed > length else { return 0 }
      // What can never become a character is not waited for: one more byte would be replaced on its own.
      let tail = Array(bytes.suffix(length))
      let possible = [UInt8](arrayLiteral: 0x80, 0x90, 0xA0).contains { next in
        let whole = tail + [next] + [UInt8](repeating: 0x80, count: needed - length - 1)
        return String(validating: whole, as: UTF8.self) != nil
      }
      return possible ? length : 0
    }
    return 0
  }
}
