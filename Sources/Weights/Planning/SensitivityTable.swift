import JSONText
import Tensors

/// What errors of each tensor do to what a model makes, measured. As a file: formats/sensitivity.md.
public struct SensitivityTable: Sendable, Equatable {
  public static let schema = "bantam.sensitivity.1"

  /// Tensors that were brought to the probe's encoding together.
  public struct Row: Sendable, Equatable {
    public let name: String
    public let members: [String]
    public let effects: Effects

    public init(name: String, members: [String], effects: Effects) {
      self.name = name
      self.members = members
      self.effects = effects
    }
  }

  /// A row in another encoding, measured as well as predicted.
  public struct Check: Sendable, Equatable {
    public let name: String
    public let encoding: String
    public let predicted: Effects
    public let measured: Effects

    public init(name: String, encoding: String, predicted: Effects, measured: Effects) {
      self.name = name
      self.encoding = encoding
      self.predicted = predicted
      self.measured = measured
    }
  }

  /// What was run, and how.
  public var given: JSONValue
  /// The encoding whose effects were measured, by its short name.
  public let probe: String
  public var rows: [Row]
  /// The relative error of each tensor, by the short name of the encoding.
  public var errors: [String: [String: Double]]
  public var checks: [Check]

  public init(
    given: JSONValue, probe: String, rows: [Row] = [], errors: [String: [String: Double]] = [:], checks: [Check] = []
  ) {
    self.given = given
    self.probe = probe
    self.rows = rows
    self.errors = errors
    self.checks = checks
  }

  /// What a row would do in another encoding, as far as errors are small: effects in proportion to the errors' energy.
  /// - Returns: nil where an error is not known.
  public func predicted(_ row: Row, _ encoding: String) -> Effects? {
    var (total, other) = (0.0, 0.0)
    for member in row.members {
      guard let own = errors[member], let probe = own[probe], let error = own[encoding] else { return nil }
      total += probe
      other += error
    }
    return row.effects.scaled(by: total > 0 ? other / total : 0)
  }

  /// By tensor, and encoding: what it would do. Rows of several tensors are shared out in proportion to their errors.
  public func effects() -> [String: [String: Effects]] {
    var found: [String: [String: Effects]] = [:]
    for row in rows {
      let total = row.members.reduce(0) { $0 + (errors[$1]?[probe] ?? 0) }
      for member in row.members {
        found[member] = (errors[member] ?? [:]).mapValues { row.effects.scaled(by: total > 0 ? $0 / total : 0) }
      }
    }
    return found
  }

  // MARK: As a file

  public var json: JSONValue {
    .members([
      "schema": .string(Self.schema), "given": given, "probe": .string(probe),
      "rows": .array(rows.map(\.json)),
      "errors": .object(
        errors.sorted { $0.key < $1.key }.map { name, errors in
          .init(name, .object(errors.sorted { $0.key < $1.key }.map { .init($0.key, .double($0.value)) }))
        }),
      "checks": .array(checks.map(\.json)),
    ])
  }

  /// - Throws: ``PlanningError/malformed(path:rule:)``.
  public init(json bytes: [UInt8], path: String) throws(PlanningError) {
    func bad(_ rule: String) -> PlanningError { .malformed(path: path, rule: rule) }
    guard let root = try? ConfigJSON.parse(bytes) else { throw bad("it is no JSON") }
    guard root["schema"]?.string == Self.schema else { throw bad("its schema is not \(Self.schema)") }
    guard let probe = root["probe"]?.string, let rows = root["rows"]?.array, let errors = root["errors"]?.object
    else { throw bad("it lacks 'probe', 'rows' or 'errors'") }
    given = root["given"] ?? .null
    self.probe = probe
    self.rows = []
    for row in rows {
      guard let row = Row(row) else {
        throw bad("a row lacks 'name', 'members' or 'effects', or holds what are no numbers")
      }
      self.rows.append(row)
    }
    self.errors = [:]
    for member in errors {
      var own: [String: Double] = [:]
      guard let errors = member.value.object else { throw bad("the errors of '\(member.key)' are no object") }
      for error in errors {
        guard let value = error.value.double, value.isFinite, value >= 0 else {
          throw bad("the errors of '\(member.key)' are no numbers from 0 on")
        }
        own[error.key] = value
      }
      self.errors[member.key] = own
    }
    checks = []
    for check in root["checks"]?.array ?? [] {
      guard let check = Check(check) else { throw bad("a check lacks a member, or holds what are no numbers") }
      checks.append(check)
    }
  }
}

extension Effects {
  var json: JSONValue {
    .object(Measure.allCases.compactMap { measure in self[measure].map { .init(measure.rawValue, .double($0)) } })
  }

  /// Nil where one is no number from 0 on, or no measure.
  init?(_ json: JSONValue?) {
    self = [:]
    for member in json?.object ?? [] {
      guard let measure = Measure(rawValue: member.key), let value = member.value.double, value.isFinite, value >= 0
      else { return nil }
      self[measure] = value
    }
  }
}

extension SensitivityTable.Row {
  public var json: JSONValue {
    .members(["name": .string(name), "members": .array(members.map { .string($0) }), "effects": effects.json])
  }

  public init?(_ json: JSONValue) {
    guard let name = json["name"]?.string, let members = json["members"]?.array, json["effects"]?.object != nil,
      let effects = Effects(json["effects"]), members.allSatisfy({ $0.string != nil })
    else { return nil }
    self.init(name: name, members: members.compactMap(\.string), effects: effects)
  }
}

extension SensitivityTable.Check {
  public var json: JSONValue {
    .members([
      "name": .string(name), "encoding": .string(encoding), "predicted": predicted.json, "measured": measured.json,
    ])
  }

  public init?(_ json: JSONValue) {
    guard let name = json["name"]?.string, let encoding = json["encoding"]?.string,
      let predicted = Effects(json["predicted"]), let measured = Effects(json["measured"])
    else { return nil }
    self.init(name: name, encoding: encoding, predicted: predicted, measured: measured)
  }
}
