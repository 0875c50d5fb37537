import InputStatistics
import NetworkRuntime

/// Collects the second moments of the inputs of the next layer that is still open: of the matrices from the first open one on that a run
/// meets, up to the end of their layer, and at most 32.
///
/// All runs of one round have the same observer; the first of them says which matrices the layer has.
public final class LayerCalibrator: Observer {
  /// Matrices of which moments are held at once.
  private static let matrixLimit = 32

  private let open: Set<String>
  private let calibrator: Calibrator
  /// The layer's matrices, in the order in which they were met.
  public private(set) var layer: [String] = []
  private var isWhole = false

  /// - Parameters:
  ///   - open: names of matrices that are still to be quantized.
  ///   - logitsPath, blockColumns, pictureWeight: as for ``Calibrator``.
  public init(
    open: Set<String>, logitsPath: String?, blockColumns: @escaping @Sendable (_ columns: Int) -> Int,
    pictureWeight: Float, threadCount: Int
  ) {
    self.open = open
    calibrator = Calibrator(
      weights: open, logitsPath: logitsPath, blockColumns: blockColumns, pictureWeight: pictureWeight,
      threadCount: threadCount)
  }

  /// What was collected; nothing is added from now on.
  public var sums: CollectedSums { CollectedSums(calibrator.moments) }

  public func leave(phase: String, step: Int) { calibrator.leave(phase: phase, step: step) }
  public func reads(isPicture: [Bool]) { calibrator.reads(isPicture: isPicture) }
  public func wants(_ path: String) -> ObservedValues { calibrator.wants(path) }

  public func willRun(_ operation: NetworkOperation, inputs: [Activation]?) throws {
    // A layer's output comes behind its last matrix.
    if operation.kind == .output, !layer.isEmpty { isWhole = true }
    // Looking rows up multiplies with nothing.
    guard inputs?.isEmpty == false, let name = operation.weight, open.contains(name) else { return }
    if !layer.contains(name) {
      if isWhole || layer.count == Self.matrixLimit { return }
      layer.append(name)
    }
    try calibrator.willRun(operation, inputs: inputs)
  }
}
