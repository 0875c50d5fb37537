import ArgumentParser
import Blip3o
import Documents
import Glibc
import JSONText
import NetworkRuntime
import Pictures
import Tensors
import Tokenization

struct Describe: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Answer a question about pictures.",
    discussion: """
      Pictures are PNG, JPEG or WebP files. The answer is streamed to stdout. How tokens are drawn is what the model's
      generation_config.json says: for the release, the most likely one after a repetition penalty of 1.05.

      EXAMPLES
        bantam describe 8b.bantam cat.jpg "What is in the picture?"
        bantam describe 8b-int4.bantam a.png b.png "What differs?" --max-tokens 200
        bantam describe 8b.bantam chart.webp "Read the title." --json
      """)

  @Argument(help: "The model.")
  var model: String

  @Argument(help: ArgumentHelp("Pictures, then the question.", valueName: "picture ... question"))
  var picturesAndQuestion: [String]

  @OptionGroup var answering: AnsweringOptions
  @OptionGroup var pixels: PixelOptions
  @OptionGroup var work: RuntimeOptions

  func validate() throws {
    if picturesAndQuestion.count < 2 { throw ValidationError("name at least one picture, and a question") }
  }

  func run() throws {
    let pictures = try picturesAndQuestion.dropLast().map { try InputPicture.read($0, quiet: work.quiet) }
    let content = String(repeating: ChatTemplate.image, count: pictures.count) + picturesAndQuestion.last!
    var options = work.options(StepMeter(isShown: !work.quiet))
    pixels.apply(to: &options)
    let conversation = try Conversation(Model(path: model), run: options)
    try answering.run(conversation, [.init(role: "user", content: content)], pictures, work)
  }
}

struct Chat: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Talk with the language model; no pictures.",
    discussion: """
      With a text, one answer. Without, a conversation: a line of stdin is a turn, an empty one or its end stops; with --json each
      answer is a document on a line.

      EXAMPLES
        bantam chat 8b.bantam "Why is the sky blue?"
        bantam chat 8b-int4.bantam --system "Be brief."
      """)

  @Argument(help: "The model.")
  var model: String

  @Argument(help: "What to say.")
  var text: String?

  @Option(help: "The system message. (default: the model's own)")
  var system: String?

  @OptionGroup var answering: AnsweringOptions
  @OptionGroup var work: RuntimeOptions

  func run() throws {
    let conversation = try Conversation(Model(path: model), run: work.options(StepMeter(isShown: false)))
    var messages: [ChatTemplate.Message] = system.map { [.init(role: "system", content: $0)] } ?? []
    if let text {
      messages.append(.init(role: "user", content: text))
      try answering.run(conversation, messages, [], work)
      return
    }
    while true {
      if isatty(STDIN_FILENO) == 1 { Terminal.ask() }
      guard let line = readLine(), !line.isEmpty else { return }
      messages.append(.init(role: "user", content: line))
      let answer = try answering.run(conversation, messages, [], work, indent: nil)
      messages.append(.init(role: "assistant", content: answer.text))
    }
  }
}

/// Options of commands that answer.
struct AnsweringOptions: ParsableArguments {
  @Flag(help: "Take the most likely token, without penalty.")
  var greedy = false

  @Option(help: "Draw tokens; higher is wilder, 0 takes the most likely. (default: as the model says)")
  var temperature: Double?

  @Option(help: "Consider the k most likely tokens.")
  var topK: Int?

  @Option(help: "Consider the most likely tokens that add up to this probability.")
  var topP: Double?

  @Option(help: "Divide or multiply the logits of tokens that were seen. (default: as the model says)")
  var repetitionPenalty: Double?

  @Option(parsing: .unconditional, help: "Start of the random numbers, from -2^63 to 2^64 - 1.")
  var seed = Seed(0)

  @Option(help: "Tokens of the answer at most.")
  var maxTokens = 1024

  @Flag(help: "Go on after the model has ended its turn.")
  var ignoreEos = false

  @Flag(help: "Print a JSON document with text, ids and times in place of the streamed text.")
  var json = false

  func validate() throws {
    if greedy && (temperature != nil || repetitionPenalty != nil) {
      throw ValidationError("--greedy excludes --temperature and --repetition-penalty")
    }
    if let temperature, !(0...100).contains(temperature) { throw ValidationError("--temperature is 0 to 100") }
    if let topK, topK < 1 { throw ValidationError("--top-k is at least 1") }
    if let topP, !(topP > 0 && topP <= 1) { throw ValidationError("--top-p is above 0, at most 1") }
    if let repetitionPenalty, !(repetitionPenalty > 0 && repetitionPenalty <= 100) {
      throw ValidationError("--repetition-penalty is above 0, at most 100")
    }
    if !(1...1_000_000).contains(maxTokens) { throw ValidationError("--max-tokens is 1 to 1000000") }
  }

  /// - Parameter standard: as the model's own settings say.
  private func sampling(_ standard: SamplingOptions) -> SamplingOptions {
    var sampling = greedy ? SamplingOptions.greedy : standard
    if let temperature { sampling.temperature = temperature }
    if let topK { sampling.topK = topK }
    if let topP { sampling.topP = topP }
    if let repetitionPenalty { sampling.repetitionPenalty = Float(repetitionPenalty) }
    sampling.seed = seed.value
    return sampling
  }

  /// - Parameter indent: of the document; nil writes it on one line.
  @discardableResult
  func run(
    _ conversation: Conversation, _ messages: [ChatTemplate.Message], _ pictures: [Picture],
    _ work: RuntimeOptions, indent: Int? = 1
  ) throws -> Conversation.Answer {
    let isStreamed = !json
    let answer = try conversation.answer(
      messages, pictures: pictures, sampling: sampling(conversation.defaultSampling), maxTokens: maxTokens,
      ignoresEnd: ignoreEos
    ) { if isStreamed { Terminal.stream($0) } }
    if json {
      Terminal.print(json: document(answer, work.mode), indent: indent)
    } else {
      Terminal.print("")
    }
    if !work.quiet {
      Terminal.say(
        "\(answer.promptTokenCount) tokens read in \(Quantity.duration(answer.prefillSeconds)), "
          + "\(answer.ids.count) written in \(Quantity.duration(answer.decodeSeconds))")
    }
    return answer
  }

  private func document(_ answer: Conversation.Answer, _ mode: ComputeMode) -> Document {
    var document = Document(schema: "bantam.answer.1")
    document.data("compute", .string(mode.rawValue))
    document.data("text", .string(answer.text))
    document.data("ids", .array(answer.ids.map { .int($0) }))
    document.data("prompt_tokens", .int(answer.promptTokenCount))
    document.data("complete", .bool(answer.isComplete))
    document.data("prefill_seconds", .number(answer.prefillSeconds))
    document.data("decode_seconds", .number(answer.decodeSeconds))
    return document
  }
}
