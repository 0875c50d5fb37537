import ArgumentParser
import Blip3o
import Foundation
import Observation
import Reports
import Tensors
import Tokenization

struct ProfileCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "profile",
    abstract: "Measure where time, memory and disk go while the networks run.",
    discussion: """
      EXAMPLES
        bantam profile 8b.bantam --prompt "a cat" --steps 2 --decoder-steps 2
        bantam profile 8b.bantam --image cat.jpg --question "What is this?" --max-tokens 16
        bantam profile 8b.bantam --prompt "a cat" --trace-events timeline.json   # opens in Perfetto
      """)

  @Argument(help: "A release folder or a .bantam file.")
  var model: String

  @OptionGroup var subject: SubjectOptions

  @Option(help: "Tokens of the answer.")
  var maxTokens = 16

  @Option(help: ArgumentHelp("Also write a time line in Chrome's trace format.", valueName: "file"))
  var traceEvents: String?

  @OptionGroup var painting: PaintingOptions

  @OptionGroup var report: ReportOptions

  @OptionGroup var work: RuntimeOptions

  func validate() throws {
    if !subject.isGiven { throw ValidationError("give --prompt, or --image with --question") }
    guard (1...100_000).contains(maxTokens) else { throw ValidationError("--max-tokens is 1 to 100000") }
  }

  func run() throws {
    let profiler = Profiler()
    let model = try Model(path: model)
    var options = work.options(StepMeter(isShown: !work.quiet))
    subject.pixels.apply(to: &options)
    let subject = try subject.subject(quiet: work.quiet)
    let noise = try painting.givenNoise()
    if let traceEvents { try OutputFile.check(traceEvents, form: .json) }
    let file = try traceEvents.map { try AtomicOutputFile(path: $0) }
    switch subject {
    case .prompt(let prompt):
      let pipeline = try TextToImage(
        model, try painting.options(), run: options, noise: noise, observers: [profiler])
      try pipeline.check(prompt)
      _ = try pipeline.picture(prompt)
    case .question(let question, let picture):
      let conversation = try Conversation(model, run: options, observers: [profiler])
      _ = try conversation.answer(
        [.init(role: "user", content: ChatTemplate.image + question)], pictures: [picture], maxTokens: maxTokens,
        ignoresEnd: true)
    }
    let found = ProfileReport(profiler, mode: options.mode)
    try file?.commit(Array(found.traceEvents.text().utf8))
    report.show(found.document)
  }
}
