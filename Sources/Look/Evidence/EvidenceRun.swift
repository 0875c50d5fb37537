import NetworkRuntime
import Observation
import Tensors

/// Gives all subjects to one model.
struct EvidenceRun {
  let subjects: [EvidenceSubject]
  /// What the reference answered, by subject; nil for the reference itself.
  let answers: ((EvidenceSubject) throws -> [Int])?

  /// What it took.
  struct Cost: Sendable, Equatable {
    var seconds = 0.0
    /// The most memory at the start of any step: of this process alone, and of mapped files.
    var anonymousByteCount = 0
    var fileByteCount = 0
  }

  /// Whatever can be known to fail is told before the work.
  func check() throws {
    for subject in subjects { try run(of: subject).check() }
  }

  /// - Parameter sinks: all get what is made.
  func run(into sinks: [any RunSink], willRun: (EvidenceSubject) -> Void) throws -> Cost {
    var cost = Cost()
    for subject in subjects {
      willRun(subject)
      let run = try run(of: subject)
      let watch = RunWatch(subject, run.outline, sinks)
      let start = MonotonicClock.nanoseconds
      let result = try run.run(observers: [watch])
      cost.seconds += MonotonicClock.seconds(since: start)
      cost.anonymousByteCount = max(cost.anonymousByteCount, watch.usage.anonymousByteCount)
      cost.fileByteCount = max(cost.fileByteCount, watch.usage.fileByteCount)
      for sink in sinks { try sink.finish(subject, result) }
    }
    return cost
  }

  private func run(of subject: EvidenceSubject) throws -> any ObservedRun {
    try subject.run(subject.kind == .answer ? answers?(subject) : nil)
  }
}

/// Hands on logits and the states of samplers.
private final class RunWatch: Observer {
  private let subject: EvidenceSubject
  private let outline: PipelineOutline
  private let sinks: [any RunSink]
  private var phase = ""
  private var step = 0
  private var row = 0
  private(set) var usage = ProcessUsage()

  init(_ subject: EvidenceSubject, _ outline: PipelineOutline, _ sinks: [any RunSink]) {
    self.subject = subject
    self.outline = outline
    self.sinks = sinks
  }

  func enter(phase: String, step: Int) {
    (self.phase, self.step) = (phase, step)
    sample()
  }

  func leave(phase: String, step: Int) { sample() }

  private func sample() {
    let now = ProcessUsage.current
    usage.anonymousByteCount = max(usage.anonymousByteCount, now.anonymousByteCount)
    usage.fileByteCount = max(usage.fileByteCount, now.fileByteCount)
  }

  func wants(_ path: String) -> ObservedValues {
    path == outline.logitsPath || outline.samplers.contains { $0.path == path } ? .output : []
  }

  func didRun(_ operation: NetworkOperation, output: Activation?) throws {
    guard let output else { return }
    if operation.path == outline.logitsPath {
      for sink in sinks {
        try sink.logits(subject, first: row, width: output.channels, UnsafeBufferPointer(output.values))
      }
      row += output.rowCount
    } else if outline.samplers.contains(where: { $0.phase == phase && $0.path == operation.path }) {
      // The rows of the guidance have one state.
      let state = UnsafeBufferPointer(output.sample(0).values)
      for sink in sinks { try sink.state(subject, phase: phase, step: step, state) }
    }
  }
}
