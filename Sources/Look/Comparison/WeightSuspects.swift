import Observation

extension WeightDiff {
  /// Weights that may be at fault, the likeliest first.
  ///
  /// What was stored in the same way lost alike, whatever it is for, so a weight is held against all others of its encodings. Where nearly
  /// all of them are equal, those that differ are suspects. Else those are that lie far below the others, as a whole or in their worst
  /// block: damage to a few groups of a large matrix hardly changes its noise as a whole.
  public var suspects: [Suspect] {
    Dictionary(grouping: rows.filter { $0.values != nil }, by: \.encodings).values.flatMap(Self.standingOut)
      .sorted { ($1.finding.weight, $0.name) < ($0.finding.weight, $1.name) }
      .map { Suspect(name: $0.name, reasons: $0.finding.reasons) }
  }

  /// What the weights say of the operations that compute with them.
  public var evidence: WeightEvidence {
    let changed = rows.filter { $0.status == .changed }.map { ($0.name.text, $0.encodings) }
    return WeightEvidence(suspects: suspects, encodings: Dictionary(changed, uniquingKeysWith: { first, _ in first }))
  }

  /// Sound weights of one encoding lie within some 5 dB.
  private static let distance = 10.0
  /// Where of this many one differs, it is alone.
  private static let crowd = 10

  private static func standingOut(_ alike: [Row]) -> [(name: String, finding: Finding)] {
    let changed = alike.filter { $0.status == .changed }
    let areAlone = changed.count * crowd <= alike.count
    let noises = Neighbours(changed.map(\.noise))
    let peaks = Neighbours(changed.map(\.peak))
    return changed.compactMap { row in
      var finding = Finding()
      if row.values!.nonfiniteMismatchCount > 0 { finding.add(.notFinite) }
      if areAlone { finding.add(.differsAlone) }
      finding.hold(noise: (row.noise, noises, distance), peak: (row.peak, peaks, distance))
      return finding.reasons.isEmpty ? nil : (row.name.text, finding)
    }
  }
}

extension WeightDiff.Row {
  fileprivate var noise: Double { values!.sqnrDecibels }
  fileprivate var peak: Double { worstBlock!.sqnrDecibels }
}
