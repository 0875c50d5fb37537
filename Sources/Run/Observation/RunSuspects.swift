extension RunDiff {
  /// What may be at fault, the likeliest first.
  ///
  /// Causes come before consequences: first operations whose weights are suspects, then what the operations' outputs say themselves.
  ///
  /// An operation is held against the same operation of other layers whose weights are stored alike. In a local run, whose differences are
  /// each operation's own, all that stand out are suspects; where there are fewer than three such layers but the weights were compared, all
  /// operations of its kind are neighbours. In a free run everything behind a fault differs: only the first that stands out is a suspect.
  /// - Parameter weights: nil where the weights were not compared.
  public func suspects(_ weights: WeightEvidence? = nil) -> [Suspect] {
    var found = (weights?.suspects ?? []).map { suspect in
      guard let path = WeightEvidence.path(of: suspect.name, in: rows) else { return suspect }
      return Suspect(name: path, reasons: [.weight(suspect.name)] + suspect.reasons)
    }
    // In a free run what differs behind a bad weight does so because of it.
    guard isLocal || found.isEmpty else { return found }
    let own = standingOut(weights)
    for finding in isLocal
      ? own.sorted(by: { ($1.finding.weight, $0.place) < ($0.finding.weight, $1.place) }) : Array(own.prefix(1))
    {
      // It may stand out in several phases.
      guard !found.contains(where: { $0.name == finding.path }) else { continue }
      found.append(Suspect(name: finding.path, reasons: finding.finding.reasons))
    }
    return found
  }

  /// Sound operations of one family lie up to 11 dB below their median, by their largest error up to 17, where channels have outliers.
  private static let noiseDistance = 14.0
  private static let peakDistance = 20.0
  /// Mere relatives lie further apart, and so do operations that inherit differences: up to 15 dB.
  private static let furtherDistance = 6.0
  /// Where of this many one differs, it is alone.
  private static let crowd = 10

  /// In the order of execution.
  private func standingOut(_ weights: WeightEvidence?) -> [(path: String, place: Int, finding: Finding)] {
    let neighbourhoods = Neighbourhoods(rows, weights, hasKinds: isLocal && weights != nil)
    let kinds = Dictionary(grouping: rows, by: \.kind)
    let firstChanged = rows.firstIndex { $0.values.changedCount > 0 }
    return rows.enumerated().compactMap { place, row in
      guard row.values.changedCount > 0 else { return nil }
      var finding = Finding()
      if row.firstNonFinite != nil, row.values.nonfiniteMismatchCount > 0 { finding.add(.notFinite) }
      // Weights that differ as they must explain a difference, and so does another way to compute.
      if weights?.encodings(of: row) ?? "" == "", modes[0] == modes[1] {
        let kind = kinds[row.kind]!
        if isLocal, kind.count(where: { $0.values.changedCount > 0 }) * Self.crowd <= kind.count {
          finding.add(.differsAlone)
        } else if !isLocal, place == firstChanged, place >= Neighbours.leastCount {
          finding.add(.differsFirst)
        }
      }
      if let near = neighbourhoods.of(row) {
        let further = near.isFamily && isLocal ? 0 : Self.furtherDistance
        finding.hold(
          noise: (row.noise, near.noises, Self.noiseDistance + further),
          peak: (row.peak, near.peaks, Self.peakDistance + further))
      }
      return finding.reasons.isEmpty ? nil : (row.path, place, finding)
    }
  }
}
