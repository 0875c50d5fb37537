import ArgumentParser
import Blip3o
import Checkpoints
import Conversion
import Documents
import Observation
import Tensors

struct TraceCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "trace",
    abstract: "Write what the networks compute inside to a safetensors file.",
    discussion: """
      formats/activations.md lists the names. Without --only, all names of the list are written; with it, the output of
      every operation can be had, as PHASE/PATH.

      EXAMPLES
        bantam trace 8b.bantam --prompt "a cat" -o exact.safetensors
        bantam trace 8b-int4.bantam --prompt "a cat" -o int4.safetensors
        bantam trace 8b.bantam --image cat.png --question "What is in the picture?" -o seen.safetensors
        bantam diff exact.safetensors int4.safetensors
        bantam trace 8b.bantam --prompt "a cat" --only 'query.cond/llm.layers.7.*' -o layer7.safetensors
      """)

  @Argument(help: "A release folder or a .bantam file.")
  var model: String

  @OptionGroup var subject: SubjectOptions

  @Flag(help: "Use the prompt as it stands, without the model's template.")
  var rawPrompt = false

  @Option(name: .shortAndLong, help: "The safetensors file to write.")
  var output: String

  @Option(help: ArgumentHelp("Names to write; * stands for any characters. May be repeated.", valueName: "pattern"))
  var only: [String] = []

  @OptionGroup var painting: PaintingOptions

  @Flag(help: "Print a JSON document with names and shapes.")
  var json = false

  @OptionGroup var work: RuntimeOptions

  func validate() throws {
    if !subject.isGiven { throw ValidationError("give --prompt, or --image with --question") }
  }

  func run() throws {
    var options = try painting.options()
    options.isRawPrompt = rawPrompt
    let model = try Model(path: model)
    let meter = StepMeter(isShown: !work.quiet)
    let subject = try subject.subject(quiet: work.quiet)
    let noise = try painting.givenNoise()
    var run = work.options(meter, otherwise: .f32)
    self.subject.pixels.apply(to: &run)
    try OutputFile.check(output, form: .safetensors)
    // Names by the thousand come only where all operations may be asked for.
    let file = try SafetensorsStream(path: output, headerByteCount: only.isEmpty ? 1 << 16 : 4 << 20)
    var listed = Table("tensors", [.init("name", "name"), .init("dtype", "dtype"), .init("shape", "shape")])
    let sink: (TracedTensor) throws -> Void = { tensor in
      try file.append(tensor.info, tensor.bytes)
      listed.add([.name(tensor.info.name.text), .text(tensor.info.dtype.name), .shape(tensor.info.shape)])
    }
    let wanted = only.isEmpty ? nil : only
    switch subject {
    case .prompt(let prompt):
      try Trace.textToImage(
        model, prompt: prompt, options: options, run: run, noise: noise, only: wanted, sink: sink)
    case .question(let question, let picture):
      try Trace.imageToText(
        model, picture: picture, question: question, run: run, only: wanted, sink: sink)
    }
    try file.finish()
    meter.say("\(output): \(file.tensorCount) activations")
    guard json else { return }
    var document = Document(schema: "bantam.trace.1")
    document.data("file", .string(output))
    document.data("compute", .string(run.mode.rawValue))
    document.add(listed)
    Terminal.print(json: document)
  }
}
