import Conversion
import Encodings
import InputStatistics
import ModelSources
import NetworkRuntime

extension Model {
  /// The same model with some matrices in another encoding, held in memory.
  /// - Parameters:
  ///   - names: of tensors, as a native file has them; those that the encoding does not take stay as they are.
  ///   - statistics: what guides the quantizer.
  /// - Returns: the model, and by name the relative error of each matrix, see ``TrialEncoding``.
  public func replacing(
    _ names: [String], by encoding: any Encoding, statistics: StatisticsFile?, resources: Resources
  ) throws -> (model: Model, errors: [String: Double]) {
    let wanted = Set(names)
    var (trials, errors): ([String: TrialEncoding], [String: Double]) = (substitutes, [:])
    for tensor in map.components.flatMap(\.tensors) where wanted.contains(tensor.name.text) {
      guard let trial = try TrialEncoding(source, tensor, encoding, statistics, resources) else { continue }
      trials[tensor.name.text] = trial
      errors[tensor.name.text] = trial.relativeError
    }
    return (Model(self, substitutes: trials), errors)
  }
}

extension Model {
  /// The same model with some matrices as they were solved.
  func replacing(_ trials: [String: TrialEncoding]) -> Model {
    Model(self, substitutes: substitutes.merging(trials) { $1 })
  }

  /// The relative error of matrices in each encoding that takes them, by names; see ``TrialEncoding``.
  public func trialErrors(
    _ names: [String], _ encodings: [any Encoding], statistics: StatisticsFile?, resources: Resources,
    progress: @Sendable (_ done: Int, _ count: Int, _ name: String) -> Void
  ) throws -> [String: [String: Double]] {
    let wanted = Set(names)
    return try TrialEncoding.relativeErrors(
      source, map.components.flatMap(\.tensors).filter { wanted.contains($0.name.text) }, encodings, statistics,
      resources, progress: progress)
  }
}

/// A model's weights with some of them replaced.
struct TrialWeights: WeightSource {
  let weights: ModelWeights
  let substitutes: [String: TrialEncoding]

  var path: String { weights.path }
  func shape(_ name: String) -> [Int]? { weights.shape(name) }
  func has(_ name: String) -> Bool { weights.has(name) }
  func vector(_ name: String, shape: [Int]) throws -> Vector { try weights.vector(name, shape: shape) }

  func weight(_ name: String, shape: [Int]) throws -> Weight {
    let own = try weights.weight(name, shape: shape)
    guard let trial = substitutes[name] else { return own }
    return Weight(
      name: name, outputs: own.outputs, inputs: own.inputs, matrix: trial.matrix, owner: trial.owner,
      check: trial.check, isTorn: { (try? trial.check()) == nil })
  }
}
