import NetworkRuntime
import Tensors

/// What one call of a network took, over several calls.
public struct NetworkTiming: Sendable {
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
  ///   - body: plans or computes.
  public init(
    mode: ComputeMode, threadCount: Int, repeats: Int, cancellation: Cancellation = .init(),
    _ body: (Execution) throws -> Void
  ) throws {
    let counter = Counter()
    activationByteCount = try Execution.plan(mode: mode, observers: [counter], body)
    operationCount = counter.operationCount
    weightByteCount = counter.weightByteCount
    try SystemMemory.require(activationByteCount + threadCount * Execution.scratchByteCount, for: "these sizes")
    let run = try Execution(
      arenaByteCount: activationByteCount, threadCount: threadCount, mode: mode, cancellation: cancellation)
    try body(run)
    seconds = try (0..<max(1, repeats)).map { _ in
      let start = MonotonicClock.nanoseconds
      try body(run)
      return MonotonicClock.seconds(since: start)
    }
  }

  /// Adds up what a planning run sees.
  private final class Counter: Observer {
    var operationCount = 0
    var weightByteCount = 0

    func didRun(_ operation: NetworkOperation, output: Activation?) {
      operationCount += operation.operationCount
      weightByteCount += operation.weightByteCount
    }
  }
}
