import InputStatistics
import NetworkRuntime

/// Collects the second moments of the inputs of matrices, over everything that a model is given. Format: formats/statistics.md.
public final class Calibrator: Observer {
  /// By the name of the weight.
  public private(set) var moments: [String: InputMoments] = [:]
  private let wanted: Set<String>
  private let paths: Set<String>
  private let blockColumns: @Sendable (_ columns: Int) -> Int
  private let pictureWeight: Float
  private let threadCount: Int
  private var isPicture: [Bool] = []

  /// - Parameters:
  ///   - weights: names of the matrices that are wanted.
  ///   - logitsPath: the operation that makes logits, which may do so with a matrix that bears another name.
  ///   - blockColumns: of a matrix of so many columns those whose products with each other are summed; 0 for squares alone.
  ///   - pictureWeight: what rows count that stand for pieces of pictures, where words are read as well: there are many more of them.
  public init(
    weights: Set<String>, logitsPath: String?, blockColumns: @escaping @Sendable (_ columns: Int) -> Int,
    pictureWeight: Float, threadCount: Int
  ) {
    wanted = weights
    paths = Set(weights.map { $0.hasSuffix(".weight") ? String($0.dropLast(7)) : $0 } + [logitsPath ?? ""])
    self.blockColumns = blockColumns
    self.pictureWeight = pictureWeight
    self.threadCount = threadCount
  }

  public func leave(phase: String, step: Int) { isPicture = [] }
  public func reads(isPicture: [Bool]) { self.isPicture = isPicture }
  public func wants(_ path: String) -> ObservedValues { paths.contains(path) ? .inputs : [] }

  public func willRun(_ operation: NetworkOperation, inputs: [Activation]?) throws {
    guard let name = operation.weight, wanted.contains(name), let input = inputs?.first,
      operation.kind == .linear || operation.kind == .convolution
    else { return }
    guard input.nonFiniteCount == 0 else { throw StatisticsError.nonFinite(name: operation.path) }
    let held = try moments[name] ?? InputMoments(columns: input.channels, blockColumns: blockColumns(input.channels))
    moments[name] = held
    // The pictures' own tower has nothing but pictures, and other rows.
    let isMixed = isPicture.count == input.rowCount && isPicture.contains(false)
    try held.add(
      UnsafePointer(input.base), rowCount: input.rowCount,
      weights: isMixed && pictureWeight != 1 ? isPicture.map { $0 ? pictureWeight : 1 } : nil, threadCount: threadCount)
  }
}
