import Foundation
@testable import NetworkRuntime
@testable import Observation
import Testing
import TestSupport

/// Runs made by hand: what stands out of them is known.
@Suite struct SuspectTests {
  /// An operation with an output of normal values, and noise so many dB below them.
  struct Step {
    var path: String
    var kind = NetworkOperation.Kind.linear
    /// nil: equal.
    var decibels: Double?
    /// Added to one value, in units of the signal.
    var spike: Float = 0
    var phase = "p"
    var step = 0
  }

  struct Run: ObservedRun {
    let steps: [Step]
    let isReference: Bool
    var outline: PipelineOutline { PipelineOutline(samplers: [.init(phase: "s", path: "s.state", title: "state")]) }
    var mode: ComputeMode { .f32 }
    func check() {}

    func run(observers: [any Observer]) throws -> RunResult {
      for (number, step) in steps.enumerated() {
        var generator = SeededGenerator(UInt64(number))
        var values = generator.normals(4096)
        let noise = generator.normals(4096)
        if !isReference, let decibels = step.decibels {
          let size = Float(pow(10, -decibels / 20))
          for index in values.indices { values[index] += size * noise[index] }
          values[100] += step.spike
        }
        let operation = NetworkOperation(
          path: step.path, kind: step.kind, weight: step.kind == .linear ? step.path + ".weight" : nil,
          operationCount: 0, weightByteCount: 0, activationByteCount: 0)
        try values.withUnsafeMutableBufferPointer { values in
          let output = Activation(values.baseAddress!, width: 16, channels: 256)
          for observer in observers {
            observer.enter(phase: step.phase, step: step.step)
            try observer.didRun(operation, output: output)
          }
        }
      }
      return RunResult()
    }
  }

  private func compare(_ steps: [Step], isLocal: Bool) throws -> RunDiff {
    try RunDiff(Run(steps: steps, isReference: true), Run(steps: steps, isReference: false), isLocal: isLocal)
  }

  /// Twelve layers of a norm, which is exact, and two products at 20 and 24 dB.
  private var sound: [Step] {
    (0..<12).flatMap { layer in
      [
        Step(path: "m.\(layer).norm", kind: .norm), Step(path: "m.\(layer).up", decibels: 20),
        Step(path: "m.\(layer).down", decibels: 24),
      ]
    }
  }

  /// Every product is stored as int4, without a suspect among them.
  private func evidence(_ suspects: [Suspect] = []) -> WeightEvidence {
    let names = sound.filter { $0.kind == .linear }.map { ($0.path + ".weight", "f32 plain, f32 int4-g32") }
    return WeightEvidence(suspects: suspects, encodings: Dictionary(uniqueKeysWithValues: names))
  }

  @Test func neighboursHaveAMiddleWhateverOneDoes() throws {
    let found = try #require(Neighbours([1, 2, 3, 4, 100, .infinity]))
    #expect(found.median == 3 && abs(found.spread - 1.4826) < 1e-12)
    #expect(found.depth(of: -7, beyond: 9) == 10)
    #expect(found.depth(of: -7, beyond: 10) == nil && found.depth(of: -4, beyond: 1) == nil, "7 are under 5 spreads")
    #expect(Neighbours([1, 2, .nan, .infinity]) == nil)
  }

  @Test(arguments: [true, false]) func soundRunsAreSilent(isLocal: Bool) throws {
    let diff = try compare(sound, isLocal: isLocal)
    #expect(diff.rows.count == 36 && diff.suspects() == [] && diff.suspects(evidence()) == [])
  }

  @Test func noiseFarBelowItsNeighboursIsNamed() throws {
    var steps = sound
    steps[3 * 5 + 1].decibels = 4
    let found = try compare(steps, isLocal: true).suspects()
    #expect(found.map(\.name) == ["m.5.up"])
    guard case .noise(let decibels, let neighbours)? = found.first?.reasons.first else {
      Issue.record("\(found)")
      return
    }
    #expect(abs(decibels - 4) < 0.2 && abs(neighbours - 20) < 0.2)
  }

  /// One value of 4096 that is off by 8: as a whole 20 dB become 16.
  @Test func oneLargeErrorIsNamed() throws {
    var steps = sound
    steps[3 * 2 + 1].spike = 8
    let found = try compare(steps, isLocal: true).suspects(evidence())
    #expect(found.map(\.name) == ["m.2.up"])
    guard case .peak? = found.first?.reasons.first, found[0].reasons.count == 1 else {
      Issue.record("\(found)")
      return
    }
  }

  @Test func whatAloneDiffersIsNamedBeforeWhatIsMerelyWorse() throws {
    var steps = sound
    steps[1].decibels = 0
    steps[3 * 7].decibels = 60
    let found = try compare(steps, isLocal: true).suspects(evidence())
    #expect(found.map(\.name) == ["m.7.norm", "m.0.up"])
    #expect(found.first?.reasons == [.differsAlone])
  }

  @Test func inAFreeRunTheFirstOfWhatWasEqualIsNamed() throws {
    var steps = sound.map { Step(path: $0.path, kind: $0.kind) }
    for place in 10..<24 { steps[place].decibels = 10 }
    let found = try compare(steps, isLocal: false).suspects()
    #expect(found == [Suspect(name: steps[10].path, reasons: [.differsFirst])])
    // Weights that differ as they must explain it.
    #expect(try compare(steps, isLocal: false).suspects(evidence()) == [])
  }

  @Test func operationsOfBadWeightsComeFirst() throws {
    var steps = sound
    steps[1].decibels = 0
    let bad = [
      Suspect(name: "m.6.norm.weight", reasons: [.differsAlone]),
      Suspect(name: "m.4.down.weight", reasons: [.notFinite]),
      Suspect(name: "elsewhere.weight", reasons: [.differsAlone]),
    ]
    let expected = ["m.6.norm", "m.4.down", "elsewhere.weight"]
    let local = try compare(steps, isLocal: true).suspects(evidence(bad))
    #expect(local.map(\.name) == expected + ["m.0.up"])
    #expect(local[0].reasons == [.weight("m.6.norm.weight"), .differsAlone])
    #expect(try compare(steps, isLocal: false).suspects(evidence(bad)).map(\.name) == expected)
  }

  @Test func notFiniteValuesAreNamed() throws {
    var steps = sound
    steps[3 * 3 + 2].spike = .nan
    #expect(try compare(steps, isLocal: true).suspects().first == Suspect(name: "m.3.down", reasons: [.notFinite]))
  }

  @Test func theFirstStepAtWhichStatesPartIsTold() throws {
    let decibels = [nil, 70.0, 30, 20]
    let steps = decibels.enumerated().map {
      Step(path: "s.state", kind: .elementwise, decibels: $1, phase: "s", step: $0)
    }
    let parting = try #require(try compare(steps, isLocal: false).partings.first)
    #expect(parting.stepCount == 4 && parting.differs == 1 && parting.parts == 2)
    #expect(try compare(steps, isLocal: true).partings.isEmpty, "what was replaced on the way does not part")
  }
}
