/// One operation of a network, as observers see it.
public struct NetworkOperation: Sendable, Equatable {
  public enum Kind: String, Sendable, CaseIterable {
    case embedding, linear, convolution, norm, attention, rotation, elementwise
    /// The output of a whole block: no work of its own.
    case output
  }

  /// Where in the model, such as `llm.layers.7.mlp.down_proj`.
  public let path: String
  public let kind: Kind
  /// Floating-point operations; a multiply-add counts as two.
  public let operationCount: Int
  /// Bytes of weights read, as they are stored.
  public let weightByteCount: Int
  /// Bytes of activations read and written.
  public let activationByteCount: Int
}

/// Sees every operation of a run. Comparing, tracing, profiling and testing are observers.
///
/// Called on the thread that runs the network, between operations. While a run is planned, nothing is computed and the
/// values are nil.
public protocol Observer: AnyObject {
  /// A part of a pipeline begins, such as `query.cond`, or a step of one.
  func enter(phase: String, step: Int)
  /// The part that began last has ended.
  func leave()
  func willRun(_ operation: NetworkOperation)
  /// - Parameter output: what the operation made, valid during the call.
  func didRun(_ operation: NetworkOperation, output: Activation?) throws
  /// Whether to look for rows of activations that 8 bits suit badly.
  var wantsOutliers: Bool { get }
  /// Rows of an operation's input whose largest value is over 64 times their root mean square. Told only where it is wanted, of
  /// operations whose activations are rounded to 8 bits.
  func sawOutliers(_ path: String, rows: Int, of count: Int)
  /// Whether the value of a path is wanted that exists only inside a fused operation, such as a norm before an activation
  /// function.
  func wants(_ path: String) -> Bool
}

extension Observer {
  public func enter(phase: String, step: Int) {}
  public func leave() {}
  public func willRun(_ operation: NetworkOperation) {}
  public var wantsOutliers: Bool { false }
  public func sawOutliers(_ path: String, rows: Int, of count: Int) {}
  public func wants(_ path: String) -> Bool { false }
}
