import ArgumentParser
import Blip3o
import Documents
import Evidence
import JSONText
import Pictures
import Tensors

/// What models that are compared are given.
struct EvidenceOptions: ParsableArguments {
  @Option(help: ArgumentHelp("Prompts to paint, one a line.", valueName: "file"))
  var prompts: String?

  @OptionGroup var data: DataOptions

  func validate() throws {
    guard prompts != nil || data.isGiven else {
      throw ValidationError("give --prompts, --images or --text, or several of them")
    }
  }

  /// - Throws: ``FileError``, ``PictureError``; a usage error where a file holds nothing.
  func read(_ options: GenerationOptions, noise: Noise.Given, quiet: Bool) throws -> EvidenceInputs {
    try data.read(prompts: prompts, options, noise: noise, quiet: quiet)
  }
}

/// Texts and pictures, and how they are read.
struct DataOptions: ParsableArguments {
  @Option(help: "Pictures a prompt, of seeds one behind the other.")
  var seeds = 1

  @Option(help: ArgumentHelp("Pictures to answer questions about: PNG, JPEG, WebP.", valueName: "folder"))
  var images: String?

  @Option(help: "The question about each picture.")
  var question = "Describe the picture."

  @Option(help: "Tokens of an answer at the most.")
  var maxTokens = 64

  @Option(help: ArgumentHelp("Documents to read, divided by empty lines.", valueName: "file"))
  var text: String?

  @Option(help: "Tokens of a document at the most; longer ones are cut into several.")
  var context = 512

  @OptionGroup var pixels: PixelOptions

  var isGiven: Bool { images != nil || text != nil }

  func validate() throws {
    guard (1...10_000).contains(seeds) else { throw ValidationError("--seeds takes a number from 1 to 10000") }
    guard (1...100_000).contains(maxTokens) else { throw ValidationError("--max-tokens is 1 to 100000") }
    guard (2...100_000).contains(context) else { throw ValidationError("--context is 2 to 100000") }
  }

  /// - Parameter prompts: a file of prompts.
  /// - Throws: ``FileError``, ``PictureError``; a usage error where a file holds nothing.
  func read(
    prompts: String?, _ options: GenerationOptions, noise: Noise.Given, quiet: Bool
  ) throws -> EvidenceInputs {
    var inputs = EvidenceInputs(options: options, noise: noise, maxTokens: maxTokens, context: context)
    inputs.texts = try text.map { try Self.documents(Self.lines($0)) } ?? []
    inputs.questions = try images.map { try questions($0, quiet: quiet) } ?? []
    for prompt in try prompts.map(Self.lines) ?? [] where prompt.contains(where: { $0 != " " }) {
      for number in 0..<seeds { inputs.paintings.append((prompt, options.seed &+ UInt64(number))) }
    }
    for (file, isEmpty) in [
      (text, inputs.texts.isEmpty), (images, inputs.questions.isEmpty), (prompts, inputs.paintings.isEmpty),
    ]
    where file != nil && isEmpty {
      throw ValidationError("there is nothing in '\(file!)'")
    }
    return inputs
  }

  private static func lines(_ path: String) throws -> [String] {
    guard let text = String(validating: try ReadableFile(path: path).contents(), as: UTF8.self) else {
      throw ValidationError("'\(path)' is not UTF-8")
    }
    return text.split(omittingEmptySubsequences: false) { $0 == "\n" || $0 == "\r\n" }.map(String.init)
  }

  private static func documents(_ lines: [String]) -> [String] {
    lines.split { $0.allSatisfy { $0 == " " || $0 == "\t" } }.map { $0.joined(separator: "\n") }
  }

  private func questions(_ folder: String, quiet: Bool) throws -> [EvidenceInputs.Question] {
    var found: [EvidenceInputs.Question] = []
    for name in try Folder.names(in: folder).sorted() {
      guard !name.hasPrefix("."), ["png", "jpg", "jpeg", "webp"].contains(Folder.ending(of: name).lowercased()) else {
        continue
      }
      let path = Folder.join(folder, name)
      let picture = try InputPicture.read(path, quiet: quiet)
      let notes = path.dropLast(Folder.ending(of: name).count) + "txt"
      let own = Folder.hasFile(String(notes)) ? try Self.lines(String(notes)).filter { !$0.isEmpty } : []
      for text in own.isEmpty ? [question] : own {
        found.append(.init(text: text, file: name, picture: picture))
      }
    }
    return found
  }
}

/// What was read of it.
struct EvidenceInputs {
  struct Question {
    let text: String
    let file: String
    let picture: Picture
  }

  let options: GenerationOptions
  let noise: Noise.Given
  let maxTokens: Int
  let context: Int
  var texts: [String] = []
  var questions: [Question] = []
  var paintings: [(prompt: String, seed: UInt64)] = []

  /// A model in a compute mode with all of it.
  func candidate(_ model: Model, path: String, _ run: RunOptions) throws -> EvidenceComparison.Candidate {
    var subjects: [EvidenceSubject] = []
    for text in texts {
      for piece in pieces(text, model) {
        subjects.append(
          EvidenceSubject(.text, number: subjects.count, title: PrintableText.shortened(text, to: 60)) { _ in
            ReadingRun(model, ids: piece, run: run)
          })
      }
    }
    for (number, question) in questions.enumerated() {
      let maxTokens = maxTokens
      subjects.append(
        EvidenceSubject(.answer, number: number, title: "\(question.file): \(question.text)") { answer in
          ForcedAnswerRun(
            model, pictures: [question.picture], question: question.text, given: answer, maxTokens: maxTokens, run: run)
        })
    }
    for (number, painting) in paintings.enumerated() {
      var options = options
      options.seed = painting.seed
      let (own, noise) = (options, noise)
      subjects.append(
        EvidenceSubject(.painting, number: number, title: "\(painting.prompt) (seed \(painting.seed))") { _ in
          PaintingRun(model, prompt: painting.prompt, options: own, noise: noise, run: run)
        })
    }
    return .init(name: Folder.split(path).name, path: path, compute: run.mode.rawValue, subjects: subjects)
  }

  /// The same, to be run again and again by models that differ in a part.
  func stagedPaintings(_ run: RunOptions) -> [StagedPainting] {
    paintings.map { painting in
      var options = options
      options.seed = painting.seed
      return StagedPainting(prompt: painting.prompt, options: options, noise: noise, run: run)
    }
  }

  func stagedReadings(_ model: Model, _ run: RunOptions) -> [StagedReading] {
    texts.flatMap { pieces($0, model) }.map { StagedReading(ids: $0, run: run) }
      + questions.map {
        StagedReading(model, picture: $0.picture, question: $0.text, maxTokens: maxTokens, run: run)
      }
  }

  /// Tokens of a text, in pieces that fit.
  private func pieces(_ text: String, _ model: Model) -> [[Int]] {
    let ids = model.tokenizer.encode(text)
    return stride(from: 0, to: ids.count, by: context).filter { ids.count - $0 > 1 }.map {
      Array(ids[$0..<min($0 + context, ids.count)])
    }
  }

  /// What decides what the models make: a record is of use only where it is the same.
  var settings: JSONValue {
    .members([
      "texts": .array(texts.map { .string($0) }), "context": .int(context),
      "questions": .array(questions.map { .array([.string($0.file), .string($0.text)]) }),
      "max_tokens": .int(maxTokens),
      "prompts": .array(paintings.map { .array([.string($0.prompt), .string("\($0.seed)")]) }),
      "steps": .int(options.steps), "decoder_steps": .int(options.decoderSteps),
      "guidance": .double(Double(options.guidance)), "size": options.size.map { .int($0) } ?? .null,
      "negative": .string(options.negativePrompt), "given_noise": .int(noise.count),
    ])
  }

  /// For people.
  var facts: [(key: String, title: String, value: Cell)] {
    var facts: [(key: String, title: String, value: Cell)] = []
    if !texts.isEmpty { facts.append(("documents", "documents", .count(texts.count))) }
    if !questions.isEmpty { facts.append(("questions", "questions", .count(questions.count))) }
    if !paintings.isEmpty {
      facts.append(("paintings", "pictures", .count(paintings.count)))
      facts.append(("steps", "steps", .count(options.steps)))
      facts.append(("decoder_steps", "decoder steps", .count(options.decoderSteps)))
    }
    return facts
  }
}
