/// What a family says about the precision that its parts need.
public struct QuantizationPolicy: Sendable {
  public enum Level: String, Sendable {
    /// The encoding that is asked for.
    case `default`
    /// 8 bits, whatever is asked for.
    case int8
    /// As it is in the source.
    case keep
  }

  let roles: [String: Level]
  let components: [String: Level]

  /// For sources of no known family: every tensor of rank 2 and more.
  static let generic = QuantizationPolicy(roles: ["tensor": .default], components: [:])

  /// The level of a tensor: the more precise of its role's and its component's.
  package func level(role: String, component: String) -> Level {
    let role = roles[role] ?? .keep
    let component = components[component] ?? .default
    if role == .keep || component == .keep { return .keep }
    return role == .int8 || component == .int8 ? .int8 : .default
  }
}
