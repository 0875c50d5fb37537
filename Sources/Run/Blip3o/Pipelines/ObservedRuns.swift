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
      ], logitsPath: "llm.lm_head")
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
  private let model: Model
  private let pictures: [Picture]
  private let question: String
  private let maxTokens: Int
  private let runOptions: RunOptions

  public init(_ model: Model, pictures: [Picture], question: String, maxTokens: Int, run: RunOptions = .init()) {
    self.model = model
    self.pictures = pictures
    self.question = question
    self.maxTokens = maxTokens
    runOptions = run
  }

  public var mode: ComputeMode { runOptions.mode }

  public var outline: PipelineOutline { PipelineOutline(logitsPath: "llm.lm_head") }

  private var messages: [ChatTemplate.Message] {
    [.init(role: "user", content: String(repeating: ChatTemplate.image, count: pictures.count) + question)]
  }

  public func check() throws { try Conversation(model, run: runOptions).check(messages, pictures: pictures) }

  public func run(observers: [any Observer]) throws -> RunResult {
    try Conversation(model, run: runOptions, observers: observers).read(messages, pictures: pictures)
    let answer = try Conversation(model, run: runOptions).answer(
      messages, pictures: pictures, sampling: .greedy, maxTokens: maxTokens, ignoresEnd: true)
    return RunResult(tokens: answer.ids, answer: answer.text)
  }
}
