import NetworkRuntime
import Observation
import Pictures
import Tokenization

/// Painting from a prompt, with others looking on: the prompt alone, then the picture.
public struct PaintingRun: ObservedRun {
  private let model: Model
  private let prompt: String
  private let options: GenerationOptions
  private let noise: Noise.Given
  private let runOptions: RunOptions

  public init(
    _ model: Model, prompt: String, options: GenerationOptions = .init(), noise: Noise.Given = [:],
    run: RunOptions = .init()
  ) {
    self.model = model
    self.prompt = prompt
    self.options = options
    self.noise = noise
    runOptions = run
  }

  public var mode: ComputeMode { runOptions.mode }

  public var outline: PipelineOutline { Self.outline }

  /// What every painting consists of.
  public static var outline: PipelineOutline {
    PipelineOutline(
      samplers: [
        .init(phase: "dit.sample.cond", path: "dit.sample.cond", title: "features"),
        .init(phase: "dit.sample.negative", path: "dit.sample.negative", title: "features", note: "negative prompt"),
        .init(phase: "decoder", path: "decoder.latents", title: "latents"),
      ], logitsPath: PipelineOutline.reading.logitsPath)
  }

  public func check() throws { try TextToImage(model, options, run: runOptions, noise: noise).check(prompt) }

  public func run(observers: [any Observer]) throws -> RunResult {
    let pipeline = try TextToImage(model, options, run: runOptions, noise: noise, observers: observers)
    try pipeline.readAlone(prompt)
    return RunResult(picture: try pipeline.picture(prompt))
  }
}

/// Answering a question about pictures, with others looking on at what is read before the first token: what two models have read must
/// be equal to be compared. The answer is the most likely one, of a given length.
public struct AnsweringRun: ObservedRun {
  private let asked: AskedQuestion

  public init(_ model: Model, pictures: [Picture], question: String, maxTokens: Int, run: RunOptions = .init()) {
    asked = AskedQuestion(model: model, pictures: pictures, question: question, maxTokens: maxTokens, runOptions: run)
  }

  public var mode: ComputeMode { asked.runOptions.mode }

  public var outline: PipelineOutline { .reading }

  public func check() throws { try asked.conversation().check(asked.messages, pictures: asked.pictures) }

  public func run(observers: [any Observer]) throws -> RunResult {
    try asked.conversation(observers: observers).read(asked.messages, pictures: asked.pictures)
    let answer = try asked.answer(ignoresEnd: true)
    return RunResult(tokens: answer.ids, answer: answer.text)
  }
}

/// A question about pictures that a model is asked.
struct AskedQuestion: Sendable {
  let model: Model
  let pictures: [Picture]
  let question: String
  let maxTokens: Int
  let runOptions: RunOptions

  var messages: [ChatTemplate.Message] {
    [.init(role: "user", content: String(repeating: ChatTemplate.image, count: pictures.count) + question)]
  }

  func conversation(observers: [any Observer] = []) throws -> Conversation {
    try Conversation(model, run: runOptions, observers: observers)
  }

  /// The most likely answer, with nobody looking on.
  func answer(ignoresEnd: Bool) throws -> Conversation.Answer {
    try conversation().answer(
      messages, pictures: pictures, sampling: .greedy, maxTokens: maxTokens, ignoresEnd: ignoresEnd)
  }
}

extension PipelineOutline {
  /// What every reading consists of.
  static let reading = PipelineOutline(logitsPath: "llm.lm_head")
}
