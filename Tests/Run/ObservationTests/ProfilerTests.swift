import Blip3o
import JSONText
import ModelSources
import NetworkRuntime
import Observation
import Documents
import Reports
@testable import Samples
import Testing
import TestSupport

@Suite struct ProfilerTests {
  private static let folder: TemporaryFolder = {
    let folder = TemporaryFolder()
    try! SampleWriter(scale: .tiny, seed: 0).write(to: folder["m"], resources: Resources())
    return folder
  }()

  private func painted() throws -> (profiler: Profiler, model: Model) {
    let model = try Model(path: Self.folder["m"])
    var options = GenerationOptions()
    (options.steps, options.decoderSteps) = (3, 2)
    let profiler = Profiler()
    _ = try TextToImage(model, options, observers: [profiler]).picture("a cat")
    return (profiler, model)
  }

  @Test func phasesAndStepsAreCounted() throws {
    let (profiler, _) = try painted()
    #expect(
      profiler.phases.map { "\($0.name) \($0.stepCount)" } == [
        "query.cond 1", "query.negative 1", "dit.context.cond 1", "dit.sample.cond 3", "dit.context.negative 1",
        "dit.sample.negative 3", "decoder.context 1", "decoder 2", "vae 1",
      ])
    for phase in profiler.phases { #expect(phase.operationNanoseconds <= phase.nanoseconds) }
    #expect(profiler.peakAnonymousByteCount > 1 << 20)
  }

  /// Operations and bytes of the language model follow from its sizes.
  @Test func countsFollowClosedFormulas() throws {
    let (profiler, model) = try painted()
    let c = model.language
    let n = model.tokenizer.encode(TextToImage.template("a cat")).count + 1 + c.queryCount
    let (h, kv, f) = (c.hiddenSize, c.keyValueHeadCount * c.headWidth, c.intermediateSize)
    func sum(_ kind: NetworkOperation.Kind, _ value: (Profiler.Row) -> Int) -> Int {
      profiler.rows.filter { $0.phase == "query.cond" && $0.kind == kind }.reduce(0) { $0 + value($1) }
    }
    let weights = 2 * h * h + 2 * h * kv + 3 * h * f
    // The gate's activation function and product are fused with up_proj: 9 for each value.
    #expect(sum(.linear, \.operationCount) == c.layerCount * (2 * n * weights + 9 * n * f))
    // The sample's weights are bf16.
    #expect(sum(.linear, \.weightByteCount) == c.layerCount * 2 * weights)
    #expect(sum(.attention, \.operationCount) == c.layerCount * 4 * h * (n * (n + 1) / 2))
    #expect(sum(.norm, \.callCount) == 2 * c.layerCount + 1)
    // x and result of each product; residual and gate are read once more.
    let linear = n * (h + h) + 2 * n * (h + kv) + n * (h + 2 * h) + n * (h + f) + n * (h + 2 * f) + n * (f + 2 * h)
    #expect(sum(.linear, \.activationByteCount) == c.layerCount * 4 * linear)
  }

  @Test func reportsHoldWhatWasMeasured() throws {
    let (profiler, _) = try painted()
    let report = ProfileReport(profiler, mode: .f32)
    let json = try ConfigJSON.parse(Array(report.document.json.text().utf8))
    #expect(json["operations"]?.array?.count == profiler.rows.count)
    #expect(json["phases"]?.array?.count == profiler.phases.count)
    let lines = report.document.lines(TextStyle(top: 1000))
    #expect(lines.contains { $0.hasPrefix("query.cond/llm.layers.{0-2}.mlp.gate_proj") })
  }

  /// The Trace Event Format: https://chromium.googlesource.com/catapult, "Trace Event Format", complete and metadata events.
  @Test func timeLineIsInTheTraceEventFormat() throws {
    let (profiler, _) = try painted()
    let events = try #require(ProfileReport(profiler, mode: .f32).traceEvents["traceEvents"]?.array)
    #expect(events.count == profiler.events.count + 2)
    var ends: [Int: Double] = [:]
    for event in events {
      let phase = try #require(event["ph"]?.string)
      #expect(["X", "M"].contains(phase))
      #expect(event["name"]?.string?.isEmpty == false && event["pid"]?.int == 1)
      let thread = try #require(event["tid"]?.int)
      guard phase == "X", case .double(let start)? = event["ts"], case .double(let duration)? = event["dur"] else {
        continue
      }
      #expect(start >= 0 && duration >= 0)
      // Events of a row do not overlap; those of phases come after what they enclose.
      #expect(start >= ends[thread, default: 0] - 1e-3)
      ends[thread] = start + duration
    }
  }
}
