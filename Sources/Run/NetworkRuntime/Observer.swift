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
  /// The matrix that it multiplies with, or looks rows up in, such as `llm.layers.7.mlp.down_proj.weight`; nil where there is none.
  public var weight: String?
  /// Floating-point operations; a multiply-add counts as two.
  public let operationCount: Int
  /// Bytes of weights read, as they are stored.
  public let weightByteCount: Int
  /// Bytes of activations read and written.
  public let activationByteCount: Int
}

/// What an observer wants of an operation, beside its cost.
public struct ObservedValues: OptionSet, Sendable {
  public let rawValue: Int

  public init(rawValue: Int) { self.rawValue = rawValue }

  /// What the operation reads, as it is read: a convolution's input normalized and activated.
  public static let inputs = ObservedValues(rawValue: 1)
  /// What it makes itself: a residual or a gate that is fused with it comes as an operation of its own.
  public static let output = ObservedValues(rawValue: 2)
  /// What it leaves behind as it is run, with whatever is fused with it: needs no memory.
  public static let result = ObservedValues(rawValue: 8)
  /// How many rows of activations 8 bits suit badly.
  public static let outliers = ObservedValues(rawValue: 4)

  /// A row of activations suits 8 bits badly where its largest value is over so many times its root mean square.
  public static let outlierRatio = 64
}

/// Sees every operation of a run. Comparing, tracing, profiling and testing are observers; a run has any number of them.
///
/// Called on the thread that runs the network. Operations that are fused are seen as one, unless somebody wants values that then do not
/// exist: so what is computed does not depend on who looks on, its cost does. (A comparison may put other
/// values in the place of an output: then it is no longer the run's own.)
public protocol Observer: AnyObject {
  /// A part of a pipeline begins, such as `query.cond`, or a step of one.
  func enter(phase: String, step: Int)
  /// The part that began last has ended, by an error too: each ``enter(phase:step:)`` has its ``leave(phase:step:)``.
  func leave(phase: String, step: Int)
  /// A network is about to read rows of which some stand for pieces of pictures: those where `isPicture` is true. Valid until the next
  /// call, or until the part ends.
  func reads(isPicture: [Bool])
  /// What values are wanted, asked by path when a run is planned and when it is made: the answer must be the same.
  func wants(_ path: String) -> ObservedValues
  /// - Parameter inputs: valid during the call; nil unless wanted, and where a run is only planned.
  func willRun(_ operation: NetworkOperation, inputs: [Activation]?) throws
  /// The operation has ended. Not called where it throws.
  /// - Parameter output: what the operation made, valid during the call; nil unless wanted, and where a run is only planned.
  func didRun(_ operation: NetworkOperation, output: Activation?) throws
  /// Rows of an operation's input that 8 bits suit badly (``ObservedValues/outlierRatio``). Told only where it is wanted, of
  /// operations whose activations are rounded to 8 bits.
  func sawOutliers(_ path: String, rows: Int, of count: Int)
}

extension Observer {
  public func enter(phase: String, step: Int) {}
  public func leave(phase: String, step: Int) {}
  public func reads(isPicture: [Bool]) {}
  public func wants(_ path: String) -> ObservedValues { [] }
  public func willRun(_ operation: NetworkOperation, inputs: [Activation]?) throws {}
  public func didRun(_ operation: NetworkOperation, output: Activation?) throws {}
  public func sawOutliers(_ path: String, rows: Int, of count: Int) {}
}

extension [any Observer] {
  /// What any of them wants.
  func wants(_ path: String) -> ObservedValues { reduce(into: []) { $0.formUnion($1.wants(path)) } }

  /// Tells all of them, also after one has thrown.
  /// - Throws: the first error.
  func tell(_ body: (any Observer) throws -> Void) throws {
    var first: (any Error)?
    for observer in self {
      do { try body(observer) } catch { first = first ?? error }
    }
    if let first { throw first }
  }
}

/// While a run is planned, an observer is only asked which values it wants, since they need memory.
public final class WantsOnly: Observer {
  private let observer: any Observer

  public init(_ observer: any Observer) { self.observer = observer }

  public func wants(_ path: String) -> ObservedValues { observer.wants(path) }
}
