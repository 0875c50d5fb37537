import Encodings
import Quantization

/// A choice of an encoding for each tensor.
public struct BudgetPlan: Sendable {
  public let tensors: [PlannedTensor]
  /// Index into the options of each tensor.
  public let choices: [Int]
  /// What a unit of each measure was counted as when the choice was made.
  let weights: Effects

  init(_ tensors: [PlannedTensor], choices: [Int], weights: Effects) {
    self.tensors = tensors
    self.choices = choices
    self.weights = weights
  }

  public func option(_ number: Int) -> PlannedTensor.Option { tensors[number].options[choices[number]] }

  public var byteCount: Int { tensors.indices.reduce(0) { $0 + option($1).byteCount } }
  public var elementCount: Int { tensors.reduce(0) { $0 + $1.elementCount } }
  public var bitsPerWeight: Double { 8 * Double(byteCount) / Double(max(1, elementCount)) }
  /// What all errors together do.
  public var predicted: Effects { tensors.indices.reduce([:]) { $0 + option($1).effects } }

  /// The measure that a tensor's choice costs most in, of those that count.
  public func worstMeasure(_ number: Int) -> Measure? {
    let effects = option(number).effects
    return Measure.allCases.filter { (effects[$0] ?? 0) * (weights[$0] ?? 0) > 0 }.max {
      effects[$0]! * weights[$0]! < effects[$1]! * weights[$1]!
    }
  }

  /// One rule a tensor, by name.
  public var recipe: QuantizationRecipe {
    QuantizationRecipe(
      defaultEncoding: nil,
      rules: tensors.indices.flatMap { number in
        ([tensors[number].name] + tensors[number].repeats).map { name in
          .init(pattern: name, action: option(number).encoding.map { .encode($0) } ?? .keep)
        }
      })
  }
}
