import Blip3o
import ModelSources
import NetworkRuntime
import Observation
@testable import Samples
import Testing
import TestSupport

@Suite struct ThrowingStageTests {
  /// Counts what has begun and ended.
  private final class Pairs: Observer {
    var open: [String] = []
    var closed = 0
    var isBroken = false

    func enter(phase: String, step: Int) {
      if !open.isEmpty { isBroken = true }
      open.append("\(phase) \(step)")
    }

    func leave(phase: String, step: Int) {
      if open.popLast() != "\(phase) \(step)" { isBroken = true }
      closed += 1
    }
  }

  private struct Stop: Error {}

  private final class Thrower: Observer {
    let path: String
    init(_ path: String) { self.path = path }
    func didRun(_ operation: NetworkOperation, output: Activation?) throws {
      if operation.path == path { throw Stop() }
    }
  }

  /// An error in the middle of a stage leaves all observers as an ordinary end does, whether they come before or after the one that
  /// throws.
  @Test(arguments: ["llm.layers.1.mlp.gate_proj", "dit.layers.0.attn1.to_q", "unet.conv_in", "vae.decoder.conv_in"])
  func everyPartThatBeganHasEnded(path: String) throws {
    let folder = TemporaryFolder()
    try SampleWriter(scale: .tiny, seed: 0).write(to: folder["m"], resources: Resources())
    var options = GenerationOptions()
    (options.steps, options.decoderSteps, options.size) = (2, 2, 64)
    let (before, profiler, after) = (Pairs(), Profiler(), Pairs())
    let run = PaintingRun(try Model(path: folder["m"]), prompt: "a cat", options: options)
    #expect(throws: Stop.self) { try run.run(observers: [before, profiler, Thrower(path), after]) }
    for pairs in [before, after] { #expect(pairs.open.isEmpty && !pairs.isBroken && pairs.closed > 0) }
    #expect(profiler.phases.reduce(0) { $0 + $1.stepCount } == before.closed)
    #expect(profiler.rows.contains { $0.path == path })
  }
}
