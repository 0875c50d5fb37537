import JSONText

/// What a file of another program's layout holds of a family's model, and where its facts stand in the family's config.json: the key
/// `output` of a name map. Format: formats/names.md.
package struct LayoutOutput: Sendable {
  /// The form in which a fact is written.
  package enum FactType: String, Sendable {
    case uint32, float32, int32s
  }

  /// A fact of the config that the layout's metadata states.
  package struct Fact: Sendable {
    package let key: String
    package let type: FactType
    /// Items of a list, where it is one: zeros fill it up.
    package let count: Int
    /// Keys that lead to it in config.json.
    package let config: [String]
  }

  /// Values without which the layout's program would compute something else; a key that is absent has the first one.
  package struct Requirement: Sendable {
    package let config: [String]
    package let values: [JSONValue]
  }

  /// The one component that such a file holds.
  package let component: String
  package let architecture: String
  package let facts: [Fact]
  package let requirements: [Requirement]
  /// Tensors that readers take from another one where they are absent: name in the layout, and the other's.
  package let implied: [(name: String, by: String)]
  /// How the layout calls the kind of tokenizer, and its split rule.
  package let tokenizer: (model: String, split: String)
  /// The tensor whose rows are the vocabulary's tokens, by its name in the layout.
  package let vocabulary: String

  /// - Throws: ``FamilyError/badMap(family:rule:)``.
  init(_ value: JSONValue, map: String) throws(FamilyError) {
    func text(_ object: JSONValue, _ key: String) throws(FamilyError) -> String {
      guard let text = object[key]?.string else { throw .badMap(family: map, rule: "'\(key)' of 'output' is missing") }
      return text
    }
    func path(_ object: JSONValue) throws(FamilyError) -> [String] {
      let keys = (object["config"]?.array ?? []).compactMap(\.string)
      guard !keys.isEmpty else { throw .badMap(family: map, rule: "'config' in 'output' is a list of keys") }
      return keys
    }
    component = try text(value, "component")
    architecture = try text(value, "architecture")
    vocabulary = try text(value, "vocabulary")
    let tokenizer = value["tokenizer"] ?? .null
    self.tokenizer = (try text(tokenizer, "model"), try text(tokenizer, "split"))
    var facts: [Fact] = []
    for fact in value["facts"]?.array ?? [] {
      guard let type = FactType(rawValue: try text(fact, "type")) else {
        throw .badMap(family: map, rule: "a fact's 'type' is uint32, float32 or int32s")
      }
      facts.append(
        Fact(key: try text(fact, "key"), type: type, count: fact["count"]?.int ?? 1, config: try path(fact)))
    }
    self.facts = facts
    var requirements: [Requirement] = []
    for requirement in value["requires"]?.array ?? [] {
      requirements.append(Requirement(config: try path(requirement), values: requirement["values"]?.array ?? []))
    }
    self.requirements = requirements
    implied = (value["implied"]?.object ?? []).compactMap { member in member.value.string.map { (member.key, $0) } }
  }
}
