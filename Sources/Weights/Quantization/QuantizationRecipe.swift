import Encodings
import JSONText
import Tensors

/// Which tensors get which encoding: a default, and rules by name that override it and each other, the last one winning.
public struct QuantizationRecipe: Sendable, Equatable {
  public enum Action: Sendable, Equatable {
    case keep
    case encode(any Encoding)

    public static func == (a: Action, b: Action) -> Bool { a.name == b.name }

    public var name: String {
      switch self {
      case .keep: "keep"
      case .encode(let encoding): encoding.shortName
      }
    }
  }

  public struct Rule: Sendable, Equatable {
    /// A shell pattern over whole names: `*`, `?` and `[...]`.
    public let pattern: String
    public let action: Action

    public init(pattern: String, action: Action) {
      self.pattern = pattern
      self.action = action
    }

    /// Whether the pattern is a plain name.
    public var isExact: Bool { !pattern.contains { "*?[".contains($0) } }

    public func matches(_ name: TensorName) -> Bool { name.matches(pattern: pattern) }
  }

  /// Nil leaves tensors that no rule names as they are.
  public var defaultEncoding: (any Encoding)?
  public var rules: [Rule]
  /// Whether patterns also reach what the family protects: embedders, norms and final layers, for example.
  public var unprotects: Bool

  public init(defaultEncoding: (any Encoding)?, rules: [Rule] = [], unprotects: Bool = false) {
    self.defaultEncoding = defaultEncoding
    self.rules = rules
    self.unprotects = unprotects
  }

  /// The last rule that matches a name.
  public func rule(for name: TensorName) -> Rule? { rules.last { $0.matches(name) } }

  // MARK: As a file

  /// - Throws: ``RecipeError``.
  public init(json bytes: [UInt8], path: String) throws(RecipeError) {
    let root: JSONValue
    do { root = try ConfigJSON.parse(bytes) } catch { throw .json(path: path, error) }
    func bad(_ rule: String) -> RecipeError { .malformed(path: path, rule: rule) }
    guard let members = root.object else { throw bad("it is not an object") }
    guard root["format"] == 1 else { throw bad("'format' is not 1") }
    defaultEncoding = nil
    rules = []
    unprotects = false
    for member in members {
      switch member.key {
      case "format": break
      case "encoding":
        guard let name = member.value.string else { throw bad("'encoding' is not a string") }
        guard let encoding = Self.encoding(name) else { throw .unknownEncoding(name: name) }
        defaultEncoding = encoding
      case "unprotect":
        guard let value = member.value.bool else { throw bad("'unprotect' is neither true nor false") }
        unprotects = value
      case "rules":
        guard let items = member.value.array else { throw bad("'rules' is not a list") }
        for item in items {
          guard let pattern = item["match"]?.string, let name = item["encoding"]?.string, item.object?.count == 2 else {
            throw bad("a rule has the members 'match' and 'encoding'")
          }
          rules.append(Rule(pattern: pattern, action: try Self.action(name)))
        }
      default: throw bad("there is no member '\(member.key)'")
      }
    }
  }

  /// - Throws: ``RecipeError/unknownEncoding(name:)``.
  public static func action(_ name: String) throws(RecipeError) -> Action {
    if name == "keep" { return .keep }
    guard let encoding = Self.encoding(name) else { throw .unknownEncoding(name: name) }
    return .encode(encoding)
  }

  /// An encoding that values can be quantized to.
  private static func encoding(_ name: String) -> (any Encoding)? {
    KnownEncodings.quantizing.first { $0.shortName == name || $0.name == name }
  }

  public static func == (a: QuantizationRecipe, b: QuantizationRecipe) -> Bool {
    a.defaultEncoding?.name == b.defaultEncoding?.name && a.rules == b.rules && a.unprotects == b.unprotects
  }

  public var json: JSONValue {
    var members: [JSONValue.Member] = [.init("format", 1)]
    if let defaultEncoding { members.append(.init("encoding", .string(defaultEncoding.shortName))) }
    let rules = rules.map { rule -> JSONValue in
      .members(["match": .string(rule.pattern), "encoding": .string(rule.action.name)])
    }
    members.append(.init("rules", .array(rules)))
    if unprotects { members.append(.init("unprotect", true)) }
    return .object(members)
  }
}

/// What can be wrong with a recipe, or with what it asks for.
public enum RecipeError: ReportingError, Equatable {
  case json(path: String, JSONError)
  case malformed(path: String, rule: String)
  case unknownEncoding(name: String)
  case nothingMatches(pattern: String)
  /// Tensors that cannot be stored as asked: name, what was asked, why not.
  case cannotMeet([Refusal])
  /// Tensors that were quantized before: to do it again adds a second error to the first.
  case requantizes(count: Int, first: String, from: String)

  public struct Refusal: Sendable, Equatable {
    public let name: String
    public let asked: String
    public let reason: String

    public init(name: String, asked: String, reason: String) {
      self.name = name
      self.asked = asked
      self.reason = reason
    }
  }

  public var report: ErrorReport {
    switch self {
    case .json(let path, let error): return error.report(at: path)
    case .malformed(let path, let rule):
      return ErrorReport(.badData, at: path, "the recipe is malformed: \(rule)")
    case .unknownEncoding(let name):
      return ErrorReport(
        .usage, at: "encoding '\(name)'", "is not known",
        expected: "keep, " + KnownEncodings.quantizing.map(\.shortName).joined(separator: ", "))
    case .nothingMatches(let pattern):
      return ErrorReport(
        .usage, at: "pattern '\(pattern)'", "no tensor has such a name",
        hint: "A pattern is held against whole names")
    case .requantizes(let count, let first, let from):
      return ErrorReport(
        .badData, at: "recipe",
        "\(count) tensor\(count == 1 ? " is" : "s are") quantized already, first '\(first)'",
        found: from,
        hint:
          "Quantize the original instead: a second rounding adds to the first")
    case .cannotMeet(let refusals):
      let first = refusals.first.map { "'\($0.name)' as \($0.asked): \($0.reason)" } ?? ""
      return ErrorReport(
        .badData, at: "recipe", "\(refusals.count) tensors cannot be stored as asked, first \(first)",
        hint: "A rule of the recipe can leave them as they are")
    }
  }
}
