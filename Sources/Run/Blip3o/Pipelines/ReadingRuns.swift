import NetworkRuntime
import Observation
import Pictures
import Tokenization

/// Reading a text, with others looking on at the logits behind each of its tokens but the last: what the model expects of each next
/// one.
public struct ReadingRun: ObservedRun {
  private let model: Model
  private let ids: [Int]
  private let runOptions: RunOptions

  /// - Parameter ids: at least two tokens, as the model's tokenizer gives them.
  public init(_ model: Model, ids: [Int], run: RunOptions = .init()) {
    self.model = model
    self.ids = ids
    runOptions = run
  }

  public var mode: ComputeMode { runOptions.mode }

  public var outline: PipelineOutline { .reading }

  public func check() throws {
    let conversation = try Conversation(model, run: runOptions)
    try conversation.runner.rehearse { try read(conversation) }
  }

  public func run(observers: [any Observer]) throws -> RunResult {
    try read(Conversation(model, run: runOptions, observers: observers))
    return RunResult(tokens: ids)
  }

  private func read(_ conversation: Conversation) throws {
    try conversation.pass(Prompt(reading: ids), logitsFrom: 0)
  }
}

/// Answering a question about pictures, and reading a given answer to it (teacher forcing) with others looking on at the logits before
/// each of its tokens. So two models are compared on the same tokens, also where their own answers part.
public struct ForcedAnswerRun: ObservedRun {
  private let asked: AskedQuestion
  private let given: [Int]?

  /// - Parameters:
  ///   - given: tokens of the answer that is read; nil: the model's own, the most likely one.
  ///   - maxTokens: the most that an answer of the model's own has.
  public init(
    _ model: Model, pictures: [Picture], question: String, given: [Int]? = nil, maxTokens: Int,
    run: RunOptions = .init()
  ) {
    asked = AskedQuestion(model: model, pictures: pictures, question: question, maxTokens: maxTokens, runOptions: run)
    self.given = given
  }

  public var mode: ComputeMode { asked.runOptions.mode }

  public var outline: PipelineOutline { .reading }

  public func check() throws {
    let conversation = try asked.conversation()
    try conversation.runner.rehearse { try read(given ?? Array(repeating: 0, count: asked.maxTokens), conversation) }
  }

  public func run(observers: [any Observer]) throws -> RunResult {
    let own = try asked.answerTokens()
    try read(given ?? own.tokens, asked.conversation(observers: observers))
    return RunResult(tokens: own.tokens, answer: own.text)
  }

  private func read(_ answer: [Int], _ conversation: Conversation) throws {
    let (prompt, first) = try asked.prompt(with: answer, in: conversation)
    try conversation.pass(prompt, logitsFrom: first)
  }
}

extension AskedQuestion {
  /// The most likely answer as tokens. The end of the turn is a token like others: an answer that ends is not one that goes on.
  func answerTokens() throws -> (tokens: [Int], text: String) {
    let own = try answer(ignoresEnd: false)
    return (own.ids + (own.isComplete ? [model.tokens.endOfTurn] : []), own.text)
  }

  /// The question with an answer behind it, and the place from which on the answer's tokens are expected.
  func prompt(with answer: [Int], in conversation: Conversation) throws -> (prompt: Prompt, first: Int) {
    var prompt = try conversation.prompt(ChatTemplate.text(messages, addsGenerationPrompt: true), pictures)
    let first = prompt.ids.count - 1
    // Behind the answer's last token nothing is asked.
    prompt.ids += answer.dropLast()
    prompt.positions.append(tokens: max(0, answer.count - 1))
    return (prompt, first)
  }
}
