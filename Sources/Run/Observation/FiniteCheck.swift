import NetworkRuntime

/// Throws at the first operation whose output is not finite.
public final class FiniteCheck: Observer {
  public init() {}

  public func wants(_ path: String) -> ObservedValues { .result }

  public func didRun(_ operation: NetworkOperation, output: Activation?) throws {
    guard let output else { return }
    let count = output.nonFiniteCount
    if count > 0 { throw RuntimeError.nonFinite(operation: operation.path, count: count, of: output.count) }
  }
}
