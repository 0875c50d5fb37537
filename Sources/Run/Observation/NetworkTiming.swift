import NetworkRuntime
import Tensors

/// What one call of a network took, over several calls.
public struct NetworkTiming: Sendable {
  /// Plans or makes one call.
  public typealias Call = () throws -> Void
  /// Plans or works out what stands before all calls, and keeps it.
  public typealias Trial = (Execution) throws -> Call

  public let seconds: [Double]
  /// Operations of a call: a multiplication and an addition are two.
  public let operationCount: Int
  /// Bytes of weights that a call reads at least, as they are stored.
  public let weightByteCount: Int
  /// Bytes of activations.
  public let activationByteCount: Int

  public var mean: Double { seconds.reduce(0, +) / Double(seconds.count) }

  /// Standard deviation of the calls; 0 for one.
  public var deviation: Double {
    guard seconds.count > 1 else { return 0 }
    let mean = mean
    return (seconds.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(seconds.count - 1)).squareRoot()
  }

  /// - Parameters:
  ///   - repeats: calls that count; one before them reads the weights and checks them.
  ///   - trial: once for all calls.
  public init(
    mode: ComputeMode, threadCount: Int, repeats: Int, cancellation: Cancellation = .init(),
    _ trial: Trial
  ) throws {
    let counter = Counter()
    activationByteCount = try Execution.plan(mode: mode, observers: [counter]) { run in
      let call = try trial(run)
      counter.isCounting = true
      try call()
    }
    operationCount = counter.operationCount
    weightByteCount = counter.weightByteCount
    try SystemMemory.require(activationByteCount + threadCount * Execution.scratchByteCount, for: "these sizes")
    let run = try Execution(
      arenaByteCount: activationByteCount, threadCount: threadCount, mode: mode, cancellation: cancellation)
    let call = try trial(run)
    try call()
    seconds = try (0..<max(1, repeats)).map { _ in
      let start = MonotonicClock.nanoseconds
      try call()
      return MonotonicClock.seconds(since: start)
    }
  }

  /// Adds up what a planning run sees of a call.
  private final class Counter: Observer {
    var isCounting = false
    var operationCount = 0
    var weightByteCount = 0

    func didRun(_ operation: NetworkOperation, output: Activation?) {
      guard isCounting else { return }
      operationCount += operation.operationCount
      weightByteCount += operation.weightByteCount
    }
  }
}
