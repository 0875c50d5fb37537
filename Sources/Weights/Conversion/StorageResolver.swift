import Encodings
import ModelSources
import Quantization
import Tensors

/// Decides how each tensor is stored, by recipe and policy, and keeps what cannot be.
struct StorageResolver {
  let recipe: QuantizationRecipe
  let policy: QuantizationPolicy
  private(set) var refusals: [RecipeError.Refusal] = []
  private var matched: Set<Int> = []

  init(recipe: QuantizationRecipe, policy: QuantizationPolicy) {
    self.recipe = recipe
    self.policy = policy
  }

  /// The encoding of a tensor; nil keeps it as it is.
  mutating func encoding(_ tensor: ModelMap.Tensor, component: String, info: TensorInfo) -> (any Encoding)? {
    for (number, rule) in recipe.rules.enumerated() where rule.matches(tensor.name) { matched.insert(number) }
    if let rule = recipe.rule(for: tensor.name) {
      guard case .encode(let encoding) = rule.action else { return nil }
      // A pattern speaks of matrices and kernels; a plain name means its tensor, whatever it is.
      if (info.shape.count < 2 || tensor.role == ModelSource.partRole) && !rule.isExact { return nil }
      if tensor.role == ModelSource.partRole {
        refusals.append(
          .init(name: tensor.name.text, asked: encoding.shortName, reason: "it is a part of another program's encoding")
        )
        return nil
      }
      return checked(encoding, tensor.name, info)
    }
    guard let encoding = recipe.defaultEncoding, info.shape.count >= 2, info.dtype.isFloat, info.elementCount > 0 else {
      return nil
    }
    switch policy.level(role: tensor.role, component: component) {
    case .keep: return nil
    case .int8: return checked(GroupEncoding.int8, tensor.name, info)
    case .default: return checked(encoding, tensor.name, info)
    }
  }

  private mutating func checked(_ encoding: any Encoding, _ name: TensorName, _ info: TensorInfo) -> (any Encoding)? {
    if encoding.shape(forWriting: info) != nil { return encoding }
    let reason =
      info.shape.count < 2
      ? "shape \(info.shapeText) has fewer than 2 dimensions"
      : info.elementCount == 0
        ? "it has no elements" : "dtype \(info.dtype.name) is no floating-point type that is read"
    refusals.append(.init(name: name.text, asked: encoding.shortName, reason: reason))
    return nil
  }

  /// - Throws: ``RecipeError`` when something cannot be stored as asked, or a rule names nothing.
  func finish() throws(RecipeError) {
    if !refusals.isEmpty { throw .cannotMeet(refusals) }
    for (number, rule) in recipe.rules.enumerated() where !matched.contains(number) {
      throw .nothingMatches(pattern: rule.pattern)
    }
  }
}
