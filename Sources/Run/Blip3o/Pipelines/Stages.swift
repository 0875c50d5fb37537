import Foundation
import NetworkRuntime
import Observation
import Tensors

/// What a stage of a pipeline did.
public struct StageReport: Sendable, Equatable {
  /// Such as `prompt`, `features`, `decoder`, `picture`.
  public let name: String
  public let seconds: Double
  /// Bytes of the arena: activations.
  public let activationByteCount: Int
}

/// How the stages of a pipeline run.
public struct RunOptions: Sendable {
  public var threadCount: Int
  public var mode: ComputeMode
  public var cancellation: Cancellation
  /// Bounds of a picture's area in pixels, in place of the model's own.
  public var minPixels: Int?
  public var maxPixels: Int?
  /// Called before each step of a stage.
  public var progress: @Sendable (Progress) -> Void

  public struct Progress: Sendable {
    /// The stage, as in ``StageReport``.
    public let stage: String
    public let step: Int
    public let stepCount: Int
  }

  public init(
    threadCount: Int = RunOptions.defaultThreadCount, mode: ComputeMode = .f32,
    cancellation: Cancellation = .init(),
    progress: @escaping @Sendable (Progress) -> Void = { _ in }
  ) {
    self.threadCount = threadCount
    self.mode = mode
    self.cancellation = cancellation
    self.progress = progress
  }

  /// As many threads as processors, at most 16.
  public static var defaultThreadCount: Int { Workers.usualCount }
}

/// Runs networks one stage after another: each gets memory of the size that a planning run has found, and gives it back at
/// the end.
final class StageRunner {
  let options: RunOptions
  private let model: Model
  /// See all operations of all stages.
  private let observers: [any Observer]
  private(set) var reports: [StageReport] = []
  /// Not nil while the stages are only walked through.
  private var rehearsal: Rehearsal?

  /// What has begun and not ended.
  private var part: (phase: String, step: Int)?

  private struct Rehearsal {
    /// See the operations, without values.
    let observers: [any Observer]
    /// Bytes that are held from one stage to the next.
    var heldByteCount = 0
  }

  init(_ model: Model, _ options: RunOptions, observers: [any Observer] = []) {
    self.model = model
    self.options = options
    self.observers = observers
  }

  var isRehearsing: Bool { rehearsal != nil }

  /// Walks through what `body` does, stage by stage, and computes nothing: whatever can be known to fail fails before the work, a
  /// lack of memory too.
  /// - Parameter observers: see the operations of all stages, without values.
  /// - Throws: what the stages throw; ``FileError/tooLittleMemory(needed:available:what:)``.
  func rehearse(observers: [any Observer] = [], _ body: () throws -> Void) throws {
    rehearsal = Rehearsal(observers: observers)
    defer { rehearsal = nil }
    try body()
  }

  /// Counts memory that lives longer than a stage.
  func hold(_ byteCount: Int) { rehearsal?.heldByteCount += byteCount }

  /// Runs `body` twice: once to plan, once in earnest.
  /// - Parameter body: must take the same memory in the same order both times.
  func stage<Result>(_ name: String, _ body: (Execution) throws -> Result) throws -> Result {
    if let rehearsal { return try rehearse(name, rehearsal, body) }
    let byteCount = try Execution.plan(mode: options.mode, observers: observers.map { WantsOnly($0) }) {
      _ = try body($0)
    }
    let start = MonotonicClock.nanoseconds
    let run = try Execution(
      arenaByteCount: byteCount, threadCount: options.threadCount, mode: options.mode,
      observers: observers, cancellation: options.cancellation)
    defer { leave(observers) }
    let result = try body(run)
    leave(observers)
    // A file that was cut or replaced meanwhile may have given zeros, or a mixture.
    try model.source.checkUnchanged()
    reports.append(
      StageReport(name: name, seconds: MonotonicClock.seconds(since: start), activationByteCount: byteCount))
    return result
  }

  private func rehearse<Result>(
    _ name: String, _ rehearsal: Rehearsal, _ body: (Execution) throws -> Result
  ) throws -> Result {
    var result: Result?
    defer { leave(rehearsal.observers) }
    let planners: [any Observer] = rehearsal.observers + observers.map { WantsOnly($0) }
    let byteCount = try Execution.plan(mode: options.mode, observers: planners) { result = try body($0) }
    let needed = byteCount + rehearsal.heldByteCount + options.threadCount * Execution.scratchByteCount
    try SystemMemory.require(needed, for: "stage '\(name)'")
    return result!
  }

  func progress(_ run: Execution, _ stage: String, step: Int, of count: Int) {
    if !run.isPlanning { options.progress(.init(stage: stage, step: step, stepCount: count)) }
  }

  /// Tells the observers what begins, and what has ended with it.
  func enter(_ run: Execution, _ phase: String, step: Int = 0) {
    guard rehearsal != nil || !run.isPlanning else { return }
    let observers = rehearsal?.observers ?? observers
    leave(observers)
    part = (phase, step)
    for observer in observers { observer.enter(phase: phase, step: step) }
  }

  private func leave(_ observers: [any Observer]) {
    guard let part else { return }
    self.part = nil
    for observer in observers { observer.leave(phase: part.phase, step: part.step) }
  }

  /// Runs a piece of a network whose result must be finite. Where it is not, the piece runs again under an observer that
  /// names the first operation at fault.
  /// - Parameters:
  ///   - result: what the piece makes.
  ///   - body: must not change its own inputs.
  func finite(_ run: Execution, _ result: Activation, _ body: () throws -> Void) throws {
    try body()
    guard !run.isPlanning, result.nonFiniteCount > 0 else { return }
    let before = run.observers
    defer { run.observers = before }
    // What they want took memory when the run was planned.
    run.observers = before.map { WantsOnly($0) } + [FiniteCheck()]
    try body()
    throw RuntimeError.nonFinite(operation: "result", count: result.nonFiniteCount, of: result.count)
  }
}
