import ArgumentParser
import Pictures

/// What a model is set to work on: a prompt to paint, or a question about a picture.
struct SubjectOptions: ParsableArguments {
  @Option(help: "What to paint.")
  var prompt: String?

  @Option(help: ArgumentHelp("A picture, for a question about it.", valueName: "file"))
  var image: String?

  @Option(help: "The question about the picture.")
  var question: String?

  @OptionGroup var pixels: PixelOptions

  var isGiven: Bool { prompt != nil || image != nil || question != nil }

  func validate() throws {
    guard prompt == nil || image == nil, (image == nil) == (question == nil) else {
      throw ValidationError("give --prompt, or --image with --question")
    }
  }

  enum Subject {
    case prompt(String)
    case question(String, Picture)
  }

  /// - Throws: ``PictureError``; a usage error where nothing is given.
  func subject(quiet: Bool) throws -> Subject {
    if let prompt { return .prompt(prompt) }
    guard let image, let question else { throw ValidationError("give --prompt, or --image with --question") }
    return .question(question, try InputPicture.read(image, quiet: quiet))
  }
}
