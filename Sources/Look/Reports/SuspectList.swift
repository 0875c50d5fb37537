import Documents
import JSONText
import Observation

/// What may be at fault, before everything else that a comparison has to say.
struct SuspectList {
  let suspects: [Suspect]

  /// More are not causes any longer.
  private static let shownCount = 5

  func add(to document: inout Document) {
    for suspect in suspects.prefix(Self.shownCount) {
      document.warn("stands out: \(suspect.name): " + suspect.reasons.map(Self.words).joined(separator: "; "))
    }
    if suspects.count > Self.shownCount { document.warn("and \(suspects.count - Self.shownCount) more") }
    document.data(
      "suspects",
      .array(
        suspects.map { .members(["name": .string($0.name), "reasons": .array($0.reasons.map(Self.json))]) }))
  }

  private static func words(_ reason: Suspect.Reason) -> String {
    func decibels(_ value: Double, _ neighbours: Double) -> String {
      "\(Quantity.fixed(value, 1)) dB, neighbours \(Quantity.fixed(neighbours, 1)) dB"
    }
    return switch reason {
    case .notFinite: "values that are not finite"
    case .weight(let name): "its weight \(name)"
    case .differsFirst: "all before it is equal"
    case .differsAlone: "nearly all like it are equal"
    case .noise(let value, let neighbours): "as a whole \(decibels(value, neighbours))"
    case .peak(let value, let neighbours): "where it is worst \(decibels(value, neighbours))"
    }
  }

  private static func json(_ reason: Suspect.Reason) -> JSONValue {
    func members(_ kind: String, _ value: Double, _ neighbours: Double) -> JSONValue {
      .members(["kind": .string(kind), "db": .number(value), "neighbours_db": .number(neighbours)])
    }
    return switch reason {
    case .notFinite: .members(["kind": "not_finite"])
    case .weight(let name): .members(["kind": "weight", "weight": .string(name)])
    case .differsFirst: .members(["kind": "differs_first"])
    case .differsAlone: .members(["kind": "differs_alone"])
    case .noise(let value, let neighbours): members("noise", value, neighbours)
    case .peak(let value, let neighbours): members("peak", value, neighbours)
    }
  }
}
