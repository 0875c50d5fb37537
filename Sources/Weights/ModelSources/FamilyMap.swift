import BantamFormats
import JSONText
import Tensors

/// The map of one model family, read from `formats/families/`: which source tensor becomes which part of which
/// component, with symbolic shapes and roles. Format: formats/families.md.
public struct FamilyMap: Sendable {
  public struct Component: Sendable {
    public let name: String
    public let about: String
    /// Whether it is converted unless the user says otherwise.
    public let isDefault: Bool
    /// Folder below the source's root that holds its tensors.
    public let folder: String
    /// Prefix of its tensors' names in the source.
    public let sourcePrefix: String
    let nodes: [Node]
  }

  /// Where the value of a symbol stands: a config file and a path of keys and list positions.
  struct ConfigPlace: Sendable {
    enum Step: Sendable {
      case key(String)
      case position(Int)
    }
    let file: String
    let steps: [Step]
  }

  /// A piece of a component's list of tensors.
  indirect enum Node: Sendable {
    case tensor(name: String, role: String, shape: [SizeExpression])
    case group(Group)
  }

  struct Group: Sendable {
    var prefix = ""
    var sourcePrefix = ""
    var loop: (variable: String, from: SizeExpression, to: SizeExpression)?
    var condition: (left: SizeExpression, differsFrom: SizeExpression)?
    /// The tensors may be absent where this is not 0.
    var optionalIf: SizeExpression?
    /// The tensor of the same component that a tied one repeats.
    var sameAs: String?
    var arguments: [String: SizeExpression]?
    var block: String?
    var nodes: [Node] = []
  }

  public let name: String
  /// What people call the family.
  public let title: String
  public let components: [Component]
  /// Files of the source that are carried along, by path below its root.
  public let files: [String]
  /// Folders whose weights are passed over.
  public let ignoredFolders: [String]
  /// How roles and components are stored when quantization is asked for.
  public let quantization: QuantizationPolicy
  let detection: FamilyDetection
  let releases: [(name: String, conditions: [(symbol: String, value: Int)])]
  let symbols: [String: ConfigPlace]
  let blocks: [String: [Node]]

  /// The families that are built in.
  public static func builtIn() throws(FamilyError) -> [FamilyMap] {
    var maps: [FamilyMap] = []
    for (name, json) in Formats.families { maps.append(try FamilyMap(name: name, json: json)) }
    return maps
  }

  /// - Throws: ``FamilyError/badMap(family:rule:)``.
  public init(name: String, json: [UInt8]) throws(FamilyError) {
    let root: JSONValue
    do { root = try ConfigJSON.parse(json) } catch { throw .badMap(family: name, rule: error.explanation.problem) }
    let parser = FamilyMapParser(family: name)
    self.name = name
    title = try parser.string(root, "title")
    files = try parser.strings(root["files"] ?? [])
    ignoredFolders = try parser.strings(root["ignored_folders"] ?? [])
    quantization = try parser.policy(root["quantization"] ?? .object([]))
    detection = try parser.detection(root["detect"] ?? .object([]))
    var releases: [(name: String, conditions: [(symbol: String, value: Int)])] = []
    for release in root["releases"]?.array ?? [] {
      releases.append(
        (try parser.string(release, "name"), (release["when"]?.object ?? []).map { ($0.key, $0.value.int ?? -1) }))
    }
    self.releases = releases
    var symbols: [String: ConfigPlace] = [:]
    for member in root["symbols"]?.object ?? [] { symbols[member.key] = try parser.place(member.value) }
    self.symbols = symbols
    var blocks: [String: [Node]] = [:]
    for member in root["blocks"]?.object ?? [] { blocks[member.key] = try parser.nodes(member.value) }
    self.blocks = blocks
    var components: [Component] = []
    for component in root["components"]?.array ?? [] {
      components.append(
        Component(
          name: try parser.string(component, "name"), about: try parser.string(component, "about"),
          isDefault: component["default"]?.bool ?? true, folder: component["folder"]?.string ?? "",
          sourcePrefix: component["source"]?.string ?? "", nodes: try parser.nodes(component["tensors"] ?? .null)))
    }
    self.components = components
  }
}

/// Reads the pieces of a family map.
private struct FamilyMapParser {
  let family: String

  func bad(_ rule: String) -> FamilyError { .badMap(family: family, rule: rule) }

  func string(_ object: JSONValue, _ key: String) throws(FamilyError) -> String {
    guard let text = object[key]?.string else { throw bad("'\(key)' is missing or not a string") }
    return text
  }

  func strings(_ value: JSONValue) throws(FamilyError) -> [String] {
    guard let items = value.array else { throw bad("a list of strings is expected") }
    return items.compactMap(\.string)
  }

  func detection(_ value: JSONValue) throws(FamilyError) -> FamilyDetection {
    var detection = FamilyDetection()
    for member in value.object ?? [] {
      var facts: [FamilyDetection.Fact] = []
      for item in member.value.array ?? [] { facts.append(try fact(item)) }
      switch member.key {
      case "all": detection.all = facts
      case "none": detection.none = facts
      case "signs": detection.signs = facts
      default: throw bad("'detect' has no key '\(member.key)'")
      }
    }
    return detection
  }

  private func fact(_ value: JSONValue) throws(FamilyError) -> FamilyDetection.Fact {
    if let path = value["file"]?.string { return .file(path) }
    if let prefix = value["tensor"]?.string { return .tensor(prefix: prefix, folder: value["folder"]?.string ?? "") }
    let key = try string(value, "config")
    guard let values = value["is"] else { return .config(key: key, values: nil) }
    return .config(key: key, values: try strings(values))
  }

  func policy(_ value: JSONValue) throws(FamilyError) -> QuantizationPolicy {
    func levels(_ key: String) throws(FamilyError) -> [String: QuantizationPolicy.Level] {
      var levels: [String: QuantizationPolicy.Level] = [:]
      for member in value[key]?.object ?? [] {
        guard let level = member.value.string.flatMap(QuantizationPolicy.Level.init(rawValue:)) else {
          throw bad("'\(member.key)' of 'quantization' is not default, int8 or keep")
        }
        levels[member.key] = level
      }
      return levels
    }
    return QuantizationPolicy(roles: try levels("roles"), components: try levels("components"))
  }

  func expression(_ text: some StringProtocol) throws(FamilyError) -> SizeExpression {
    guard let expression = SizeExpression(text) else { throw bad("'\(text)' is not a size") }
    return expression
  }

  func place(_ value: JSONValue) throws(FamilyError) -> FamilyMap.ConfigPlace {
    guard let items = value.array, let file = items.first?.string else {
      throw bad("a symbol is a list of a file and keys")
    }
    var steps: [FamilyMap.ConfigPlace.Step] = []
    for item in items.dropFirst() {
      switch item {
      case .string(let key): steps.append(.key(key))
      case .int(let position): steps.append(.position(position))
      default: throw bad("a symbol's path holds keys and positions")
      }
    }
    return .init(file: file, steps: steps)
  }

  func nodes(_ value: JSONValue) throws(FamilyError) -> [FamilyMap.Node] {
    guard let items = value.array else { throw bad("'tensors' is not a list") }
    var nodes: [FamilyMap.Node] = []
    for item in items { nodes.append(try node(item)) }
    return nodes
  }

  private func node(_ value: JSONValue) throws(FamilyError) -> FamilyMap.Node {
    if let items = value.array {
      guard items.count >= 3, let name = items[0].string, let role = items[1].string else {
        throw bad("a tensor is a list of name, role and sizes")
      }
      var shape: [SizeExpression] = []
      for item in items.dropFirst(2) { shape.append(try expression(item.string ?? "?")) }
      return .tensor(name: name, role: role, shape: shape)
    }
    guard let members = value.object else { throw bad("a tensor is a list, a group an object") }
    var group = FamilyMap.Group()
    for member in members {
      switch member.key {
      case "prefix": group.prefix = try string(value, "prefix")
      case "source": group.sourcePrefix = try string(value, "source")
      case "for", "in": break
      case "if": group.condition = try condition(string(value, "if"))
      case "optional": group.optionalIf = try expression(string(value, "optional"))
      case "same_as": group.sameAs = try string(value, "same_as")
      case "block": group.block = try string(value, "block")
      case "with":
        var arguments: [String: SizeExpression] = [:]
        for argument in member.value.object ?? [] {
          arguments[argument.key] = try expression(argument.value.string ?? "?")
        }
        group.arguments = arguments
      case "tensors": group.nodes = try nodes(member.value)
      default: throw bad("a group has no key '\(member.key)'")
      }
    }
    if let variable = value["for"]?.string {
      let bounds = try string(value, "in").split(separator: ".", omittingEmptySubsequences: true)
      guard bounds.count == 2 else { throw bad("a range is written 'from..to'") }
      group.loop = (variable, try expression(bounds[0]), try expression(bounds[1]))
    }
    return .group(group)
  }

  /// `a != b`, or `a` for "a is not 0".
  private func condition(
    _ text: String
  ) throws(FamilyError) -> (left: SizeExpression, differsFrom: SizeExpression) {
    let sides = text.split(separator: "!=")
    guard sides.count <= 2 else { throw bad("'\(text)' is not a condition") }
    return (try expression(sides[0]), try expression(sides.count == 2 ? String(sides[1]) : "0"))
  }
}
