import Foundation

/// What each operation of a run that differs is held against.
struct Neighbourhoods {
  /// Operations that are alike.
  struct Group {
    /// Whether they are one operation of several layers.
    let isFamily: Bool
    let noises: Neighbours?
    let peaks: Neighbours?

    init(_ rows: [RunDiff.Row], isFamily: Bool) {
      self.isFamily = isFamily
      noises = Neighbours(rows.map(\.noise))
      peaks = Neighbours(rows.map(\.peak))
    }
  }

  private let families: [[String]: Group]
  private let kinds: [[String]: Group]
  private let weights: WeightEvidence?

  /// - Parameter hasKinds: whether operations without a family are held against those of their kind.
  init(_ rows: [RunDiff.Row], _ weights: WeightEvidence?, hasKinds: Bool) {
    self.weights = weights
    let changed = rows.filter { $0.values.changedCount > 0 }
    families = Dictionary(grouping: changed) { Self.key($0, $0.family, weights) }
      // A path that runs in three phases is no neighbour of itself.
      .filter { Set($0.value.map(\.path)).count >= Neighbours.leastCount }
      .mapValues { Group($0, isFamily: true) }
    kinds = Dictionary(grouping: hasKinds ? changed : []) { Self.key($0, $0.kind.rawValue, weights) }
      .mapValues { Group($0, isFamily: false) }
  }

  /// Those of a row that differs.
  func of(_ row: RunDiff.Row) -> Group? {
    families[Self.key(row, row.family, weights)] ?? kinds[Self.key(row, row.kind.rawValue, weights)]
  }

  private static func key(_ row: RunDiff.Row, _ name: String, _ weights: WeightEvidence?) -> [String] {
    [name, weights?.encodings(of: row) ?? ""]
  }
}

extension RunDiff.Row {
  /// Energy over that of the difference, in dB.
  var noise: Double { values.sqnrDecibels }

  /// Mean energy of a value over that of the largest difference, in dB.
  var peak: Double {
    let mean = values.signalSquare / Double(max(1, values.elementCount))
    return 10 * log10(mean / (values.largestError * values.largestError))
  }

  /// The path with its numbers left out.
  var family: String {
    path.split(separator: ".").map { $0.allSatisfy(\.isNumber) ? "*" : String($0) }.joined(separator: ".")
  }
}
