import JSONText

/// How statistics were collected: what must be equal for two files to be added, and what is then counted together.
public struct StatisticsSettings: Sendable, Equatable {
  public static let schema = "bantam.statistics.1"

  /// What was run and how: family and widths, compute mode, steps, and whatever else makes two collections unlike.
  public var given: JSONValue
  /// How many texts, answers and paintings were run, by name.
  public var counts: [String: Int]

  public init(given: JSONValue, counts: [String: Int]) {
    self.given = given
    self.counts = counts
  }

  var json: JSONValue {
    .members([
      "schema": .string(Self.schema), "given": given,
      "counts": .object(counts.sorted { $0.key < $1.key }.map { .init($0.key, .int($0.value)) }),
    ])
  }

  init?(_ json: JSONValue) {
    guard json["schema"]?.string == Self.schema else { return nil }
    given = json["given"] ?? .null
    counts = [:]
    for member in json["counts"]?.object ?? [] {
      guard let count = member.value.int, (0..<1 << 48).contains(count) else { return nil }
      counts[member.key] = count
    }
  }
}
