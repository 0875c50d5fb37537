import NetworkRuntime
import Networks
import Observation
import Pictures

/// Reading one text, or the answer to one question about a picture, again and again by models that differ in a part: the logits before
/// each token.
public struct StagedReading: Sendable {
  private enum Subject {
    case text([Int])
    case question(AskedQuestion)
  }

  /// What a run has made on its way.
  public struct Made: Sendable {
    let prompt: Prompt
    let first: Int
    /// `[positions, width]`.
    public let logits: [Float]
    public let width: Int
  }

  private let subject: Subject
  private let run: RunOptions

  /// - Parameter ids: at least two tokens.
  public init(ids: [Int], run: RunOptions) {
    subject = .text(ids)
    self.run = run
  }

  /// A question whose answer the first model gives.
  public init(_ model: Model, picture: Picture, question: String, maxTokens: Int, run: RunOptions) {
    subject = .question(
      AskedQuestion(model: model, pictures: [picture], question: question, maxTokens: maxTokens, runOptions: run))
    self.run = run
  }

  /// Whether a model that differs in some components reads otherwise: in words, or in how it sees a picture.
  public func changes(with components: Set<String>) -> Bool {
    if case .question = subject, Self.looksAgain(components) { return true }
    return components.contains("llm")
  }

  private static func looksAgain(_ components: Set<String>) -> Bool { components.contains("vision") }

  /// - Parameters:
  ///   - earlier: what another model has made of it, whose answer is read, and the picture as it has seen it.
  ///   - components: in which the two models differ: the picture is looked at again where that may change what is seen.
  public func make(_ model: Model, reusing earlier: Made? = nil, components: Set<String> = []) throws -> Made {
    let keeper = LogitsKeeper()
    let conversation = try Conversation(model, run: run, observers: [keeper])
    var (prompt, first) = try earlier.map { ($0.prompt, $0.first) } ?? begin(conversation)
    if Self.looksAgain(components), earlier != nil, case .question(let asked) = subject {
      prompt.pictures = try asked.prompt(with: [], in: conversation).prompt.pictures
    }
    try conversation.pass(prompt, logitsFrom: first)
    return Made(prompt: prompt, first: first, logits: keeper.values, width: model.language.vocabularySize)
  }

  /// What there is to be read, with the model's own answer where it is a question; nothing is read yet.
  func begin(_ model: Model) throws -> Made {
    let (prompt, first) = try begin(Conversation(model, run: run))
    return Made(prompt: prompt, first: first, logits: [], width: model.language.vocabularySize)
  }

  /// Sends it through one network, for the sake of those who look on: no logits are kept.
  /// - Parameters:
  ///   - earlier: what is read, with pictures as they were seen before.
  ///   - needsLogits: whether they are computed behind each token that counts, not behind the last alone.
  func advance(
    _ model: Model, through component: String, reusing earlier: Made, needsLogits: Bool, observers: [any Observer]
  ) throws -> Made {
    let conversation = try Conversation(model, run: run, observers: observers)
    var prompt = earlier.prompt
    if Self.looksAgain([component]), case .question(let asked) = subject {
      prompt.pictures = try asked.prompt(with: [], in: conversation).prompt.pictures
    } else {
      try conversation.pass(prompt, logitsFrom: needsLogits ? earlier.first : nil)
    }
    return Made(prompt: prompt, first: earlier.first, logits: [], width: earlier.width)
  }

  private func begin(_ conversation: Conversation) throws -> (Prompt, Int) {
    switch subject {
    case .text(let ids): return (Prompt(reading: ids), 0)
    case .question(let asked):
      return try asked.prompt(with: asked.answerTokens().tokens, in: conversation)
    }
  }
}

/// Keeps all logits of a run.
private final class LogitsKeeper: Observer {
  private(set) var values: [Float] = []

  func wants(_ path: String) -> ObservedValues { path == PipelineOutline.reading.logitsPath ? .output : [] }

  func didRun(_ operation: NetworkOperation, output: Activation?) throws {
    if let output, operation.path == PipelineOutline.reading.logitsPath { values += output.values }
  }
}
