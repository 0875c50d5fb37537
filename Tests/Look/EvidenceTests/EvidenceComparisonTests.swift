import Blip3o
import Conversion
import Documents
import Encodings
@testable import Evidence
import JSONText
import ModelSources
import NetworkRuntime
import Observation
import Pictures
import Quantization
@testable import Samples
import Tensors
import Testing
import TestSupport

/// A sample model and its int4 form, given a text, a question and a prompt.
@Suite struct EvidenceComparisonTests {
  private static let folder: TemporaryFolder = {
    let folder = TemporaryFolder()
    let writer = try! SampleWriter(
      scale: .tiny, seed: 0, components: ["vision", "queries", "llm", "dit", "unet", "vae"])
    try! writer.write(to: folder["m"], resources: Resources())
    let options = ConversionOptions(recipe: QuantizationRecipe(defaultEncoding: GroupEncoding.int4))
    try! Converter.run(ConversionPlan(source: ModelSource(path: folder["m"]), options: options), to: folder["int4"])
    return folder
  }()

  private static let settings: JSONValue = .members(["prompts": ["a cat"], "guidance": 3.0])

  private func candidate(_ name: String, mode: ComputeMode = .f32) throws -> EvidenceComparison.Candidate {
    let model = try Model(path: Self.folder[name])
    let run = RunOptions(mode: mode)
    var options = GenerationOptions()
    (options.steps, options.decoderSteps, options.size) = (2, 2, 64)
    let painted = options
    var generator = SeededGenerator(3)
    let picture = Picture(width: 120, height: 90, pixels: generator.bytes(120 * 90 * 3))
    // Longer than the rows that are computed at once.
    let ids = (0..<70).map { 3 + $0 * 7 % 200 }
    let subjects = [
      EvidenceSubject(.text, number: 0, title: "text") { _ in ReadingRun(model, ids: ids, run: run) },
      EvidenceSubject(.answer, number: 0, title: "question") {
        ForcedAnswerRun(model, pictures: [picture], question: "What?", given: $0, maxTokens: 6, run: run)
      },
      EvidenceSubject(.painting, number: 0, title: "a cat") { _ in
        PaintingRun(model, prompt: "a cat", options: painted, run: run)
      },
    ]
    return .init(name: name, path: Self.folder[name], compute: mode.rawValue, subjects: subjects)
  }

  private func comparison(_ folder: TemporaryFolder) throws -> EvidenceComparison {
    try EvidenceComparison(
      running: candidate("m"), settings: Self.settings, recordPath: folder["r.safetensors"], resources: Resources(),
      willRun: { _, _ in }, keep: { _, _ in })
  }

  @Test func aModelDiffersFromItselfInNothing() throws {
    let folder = TemporaryFolder()
    let comparison = try comparison(folder)
    try comparison.add(candidate("m")) { _, _ in }
    for entry in comparison.entries {
      for kind in EvidenceSubject.Kind.allCases {
        let logits = try #require(entry.measures.logits[kind])
        #expect(logits.meanKL == 0 && logits.topAgreement == 1 && logits.topFiveAgreement == 1)
        #expect(logits.perplexity == logits.referencePerplexity)
      }
      #expect(entry.measures.logits[.text]!.positionCount == 69)
      #expect(entry.measures.psnrDecibels == .infinity && entry.measures.meanSSIM == 1)
      #expect(entry.measures.answerAgreement == 1)
      #expect(entry.measures.states.keys.sorted() == ["decoder", "dit.sample.cond", "dit.sample.negative"])
      #expect(entry.measures.states.values.allSatisfy { $0.count == 2 && $0[1].changedCount == 0 })
      #expect(entry.weights?.sqnrDecibels == .infinity)
    }
  }

  @Test func aKeptRecordStandsForItsModel() throws {
    let folder = TemporaryFolder()
    let live = try comparison(folder)
    try live.add(candidate("int4")) { _, _ in }
    let kept = try EvidenceComparison(
      reading: folder["r.safetensors"], settings: Self.settings, subjects: candidate("int4").subjects,
      resources: Resources(), willRun: { _, _ in }, keep: { _, _ in })
    try kept.add(candidate("int4")) { _, _ in }
    let (a, b) = (live.entries[1], kept.entries[1])
    for kind in EvidenceSubject.Kind.allCases {
      #expect(a.measures.logits[kind]!.meanKL! > 0)
      #expect(a.measures.logits[kind]!.meanKL == b.measures.logits[kind]!.meanKL)
    }
    #expect(a.measures.psnrDecibels! < 60 && a.measures.psnrDecibels == b.measures.psnrDecibels)
    #expect(a.weights!.sqnrDecibels! < 30)
    // What the reference's weights are, a record does not know.
    #expect(b.weights?.sqnrDecibels == nil)
  }

  @Test func aRecordOfOtherPromptsIsRefused() throws {
    let folder = TemporaryFolder()
    _ = try comparison(folder)
    #expect(throws: EvidenceError.otherSettings(path: folder["r.safetensors"], what: "prompts")) {
      try EvidenceComparison(
        reading: folder["r.safetensors"], settings: .members(["prompts": ["a dog"]]),
        subjects: candidate("m").subjects, resources: Resources(), willRun: { _, _ in }, keep: { _, _ in })
    }
  }

  /// Names come from a file: numbers that no run has are not counted up to.
  @Test(arguments: [
    "painting.0/state/decoder/-1", "painting.0/state/decoder/1000000000", "text.0/logits/-5", "text.0/logits/01",
    "text.0/logits/9223372036854775807", "text.0/logits", "a/b/c/d/e", "",
  ]) func hostileNamesAreNotOfARecord(name: String) { #expect(RecordName(name) == nil) }

  @Test(arguments: [
    RecordName.settings, .logits(subject: "text.0", first: 32),
    .state(subject: "painting.1", phase: "decoder", step: 3),
    .tokens(subject: "answer.0"), .answer(subject: "answer.0"), .picture(subject: "painting.0"),
  ]) func namesAreReadAsTheyAreWritten(name: RecordName) { #expect(RecordName(name.text) == name) }

  /// An answer that ends where the reference's goes on is another.
  @Test(arguments: [([5, 6, 7], nil), ([5, 6], 2), ([5, 6, 7, 8], 3), ([5, 9, 7], 1), ([], 0)] as [([Int], Int?)])
  func answersAreEqualTokenForToken(own: [Int], parts: Int?) throws {
    let folder = TemporaryFolder()
    let subject = EvidenceSubject(.answer, number: 0, title: "?") { _ in fatalError("is not run") }
    let writer = try RecordWriter(path: folder["r.safetensors"], tensorCount: 8)
    try writer.finish(subject, RunResult(tokens: [5, 6, 7], answer: "abc"))
    try writer.finish(settings: .members(["schema": .string(Record.schema)]))
    let measures = Measures(against: try Record(path: folder["r.safetensors"]), threadCount: 1)
    try measures.finish(subject, RunResult(tokens: own, answer: "x"))
    #expect(measures.answers.first?.firstDifferentToken == parts)
    #expect(measures.answers.first?.reference == "abc")
  }

  /// A record may be another model's.
  @Test(arguments: [[-1, 2], [3, 1 << 30], [1 << 30, 3]]) func tokensThatTheModelLacksAreRefused(ids: [Int]) throws {
    let model = try Model(path: Self.folder["m"])
    let picture = Picture(width: 60, height: 60, pixels: [UInt8](repeating: 9, count: 60 * 60 * 3))
    #expect(throws: ModelError.self) { try ReadingRun(model, ids: ids + [3]).check() }
    #expect(throws: ModelError.self) {
      try ForcedAnswerRun(model, pictures: [picture], question: "What?", given: ids + [3], maxTokens: 2)
        .run(observers: [])
    }
  }

  @Test func aModelIsNoRecord() throws {
    #expect(!EvidenceComparison.isRecord(Self.folder["m"]) && !EvidenceComparison.isRecord(Self.folder["int4"]))
  }

  /// On a screen as well: the states of the samplers after some of their steps, the last one among them.
  @Test func driftIsShownStepByStep() throws {
    let comparison = try comparison(TemporaryFolder())
    try comparison.add(candidate("int4")) { _, _ in }
    let document = EvidenceReport(comparison, outline: PaintingRun.outline, given: []).document
    let states = comparison.entries[1].measures.states
    let lines = document.lines()
    #expect(!states.isEmpty && lines.contains { $0.contains("after step") })
    for (phase, steps) in states {
      let last = Quantity.decibels(try #require(steps.last).sqnrDecibels)
      #expect(
        lines.contains { $0.hasPrefix(phase) && $0.contains(" \(steps.count) ") && $0.hasSuffix(last) }, "\(phase)")
    }
  }

  @Test func boundsThatAreMissedAreNamed() throws {
    let comparison = try comparison(TemporaryFolder())
    try comparison.add(candidate("int4")) { _, _ in }
    let report = EvidenceReport(comparison, outline: PaintingRun.outline, given: [])
    var gates = EvidenceReport.Gates()
    #expect(report.failures(gates).isEmpty)
    (gates.maxKL, gates.minPSNR) = (1e-9, 90)
    #expect(report.failures(gates).count == 2)
    (gates.maxKL, gates.minPSNR) = (100, 1)
    #expect(report.failures(gates).isEmpty)
    // NaN is no bound that anything keeps.
    gates.maxKL = .nan
    #expect(report.failures(gates).count == 1)
  }
}
