import ArgumentParser
import Documents
import Glibc
import JSONText
import ModelSources
import Tensors
import Tokenization

struct Tokenize: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Turn text into a model's token ids, and back.",
    discussion: """
      Reads the text from --text, --file or stdin, as it stands, to the last line end.

      EXAMPLES
        bantam tokenize blip3o-8b.bantam --text "A photo of a cute cat"
        bantam tokenize BLIP3o-Model-8B --file prompt.txt --json
      """)

  @Argument(help: "A release folder, a .bantam file, or a tokenizer.json.")
  var model: String

  @Option(help: "The text.")
  var text: String?

  @Option(help: ArgumentHelp("A file with the text, UTF-8.", valueName: "path"))
  var file: String?

  @Flag(
    help:
      "A text on each line of the input, plain or as a JSON string; a document on each line of the output (with --json)."
  )
  var lines = false

  @Flag(help: "Print a JSON document with ids and decoded text.")
  var json = false

  func validate() throws {
    if text != nil && file != nil { throw ValidationError("--text and --file exclude each other") }
    if lines && !json { throw ValidationError("--lines needs --json") }
  }

  private func tokenizer() throws -> Tokenizer {
    if model.hasSuffix(".json") {
      return try Tokenizer(tokenizerJSON: ReadableFile(path: model).contents(), file: model)
    }
    let source = try ModelSource(path: model)
    return try Tokenizer { try source.companion($0) }
  }

  private func input() throws -> [UInt8] {
    if let text { return Array(text.utf8) }
    if let file { return try ReadableFile(path: file).contents() }
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    while true {
      let count = read(STDIN_FILENO, &buffer, buffer.count)
      if count <= 0 { return bytes }
      bytes += buffer[..<count]
    }
  }

  func run() throws {
    let tokenizer = try tokenizer()
    let bytes = try input()
    if lines {
      var lines = bytes.split(separator: 0x0A, omittingEmptySubsequences: false)
      // A line end ends the last line, it does not begin another.
      if lines.last?.isEmpty == true { lines.removeLast() }
      for line in lines {
        let text = try TextLine.string(Array(line), line: String(decoding: line, as: UTF8.self))
        Terminal.print(json: document(tokenizer, text), indent: nil)
      }
      return
    }
    guard let text = String(validating: bytes, as: UTF8.self) else {
      throw TokenizerError.malformed(file: file ?? "input", rule: "is not UTF-8")
    }
    let document = document(tokenizer, text)
    if json { Terminal.print(json: document) } else { Terminal.print(document: document.lines()) }
  }

  private func document(_ tokenizer: Tokenizer, _ text: String) -> Document {
    let ids = tokenizer.encode(text)
    var document = Document(schema: "bantam.tokenize.1")
    document.data("ids", .array(ids.map { .int($0) }))
    document.draw([ids.map(String.init).joined(separator: " ")])
    document.data("decoded", .string(tokenizer.decode(ids)))
    document.data("decoded_skip_special", .string(tokenizer.decode(ids, skipSpecial: true)))
    return document
  }
}

/// A line of input that is a JSON string, so that it can hold line ends.
enum TextLine {
  static func string(_ bytes: [UInt8], line: String) throws -> String {
    guard bytes.first == UInt8(ascii: "\"") else { return line }
    do {
      var scanner = try JSONScanner(bytes)
      let text = try scanner.string()
      try scanner.finish()
      return String(decoding: text, as: UTF8.self)
    } catch { throw TokenizerError.json(file: "input", error) }
  }
}
