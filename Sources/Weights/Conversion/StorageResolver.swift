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
  /// Tensors that a pattern matches and protection keeps, and those whose protection is overridden.
  private var kept: [(name: TensorName, role: String)] = []
  private var overridden: [(name: TensorName, role: String)] = []

  init(recipe: QuantizationRecipe, policy: QuantizationPolicy) {
    self.recipe = recipe
    self.policy = policy
  }

  /// The encoding of a tensor; nil keeps it as it is.
  mutating func encoding(_ tensor: ModelMap.Tensor, component: String, info: TensorInfo) -> (any Encoding)? {
    for (number, rule) in recipe.rules.enumerated() where rule.matches(tensor.name) { matched.insert(number) }
    let level = policy.level(role: tensor.role, component: component)
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
      let protected = Self.encoding(encoding, at: level)
      if protected?.name != encoding.name {
        guard rule.isExact || recipe.unprotects else {
          kept.append((tensor.name, tensor.role))
          return protected.flatMap { checked($0, tensor.name, info) }
        }
        overridden.append((tensor.name, tensor.role))
      }
      return checked(encoding, tensor.name, info)
    }
    guard let encoding = recipe.defaultEncoding, info.shape.count >= 2, info.dtype.isFloat, info.elementCount > 0 else {
      return nil
    }
    return Self.encoding(encoding, at: level).flatMap { checked($0, tensor.name, info) }
  }

  /// What a protected tensor gets where another encoding is asked for.
  private static func encoding(_ asked: any Encoding, at level: QuantizationPolicy.Level) -> (any Encoding)? {
    switch level {
    case .keep: nil
    case .int8: asked.codeBits ?? 8 < 8 ? GroupEncoding.int8 : asked
    case .default: asked
    }
  }

  /// What the user should know about patterns and protection.
  var notes: [String] {
    func list(_ tensors: [(name: TensorName, role: String)]) -> String {
      let roles = Dictionary(grouping: tensors, by: \.role).sorted { $0.key < $1.key }
      let counts = roles.map { "\($0.value.count) \($0.key)" }.joined(separator: ", ")
      return "\(tensors.count) tensor\(tensors.count == 1 ? "" : "s") (\(counts)), first '\(tensors[0].name.text)'"
    }
    var notes: [String] = []
    if !kept.isEmpty {
      notes.append(
        "patterns also match what the model needs precise, which keeps its usual form: \(list(kept)); a plain name overrides "
          + "that, and so does lifting the protection")
    }
    if !overridden.isEmpty { notes.append("less precise than the model needs it, as asked: \(list(overridden))") }
    return notes
  }

  private mutating func checked(_ encoding: any Encoding, _ name: TensorName, _ info: TensorInfo) -> (any Encoding)? {
    if encoding.shape(forWriting: info) != nil { return encoding }
    let reason =
      info.shape.count < 2
      ? "shape \(info.shapeText) has fewer than 2 dimensions"
      : info.elementCount == 0
        ? "it has no elements"
        : info.dtype.isReal
          ? "a row of \(info.matrix.columns) columns is too wide for it"
          : "dtype \(info.dtype.name) is no floating-point type that is read"
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
