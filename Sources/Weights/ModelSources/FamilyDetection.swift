/// How the sources of a family are known: by facts about config.json and the names of tensors, never by one name alone.
/// Format: formats/families.md.
struct FamilyDetection: Sendable {
  enum Fact: Sendable {
    /// The source has this JSON file beside its weights.
    case file(String)
    /// config.json has this key, with one of these values where any are stated.
    case config(key: String, values: [String]?)
    /// A tensor's name begins so, in this folder below the root.
    case tensor(prefix: String, folder: String)
  }

  /// All of these hold.
  var all: [Fact] = []
  /// None of these holds.
  var none: [Fact] = []
  /// Each that holds is a point.
  var signs: [Fact] = []

  /// How well a source fits; 0 where it is not of this family.
  /// - Throws: ``FamilyError`` for a config file that cannot be read.
  func score(_ evidence: FamilyEvidence) throws -> Int {
    // In this order, for the names of tensors are looked through only where a config speaks for the family.
    guard try all.allSatisfy(evidence.holds) else { return 0 }
    let score = try signs.count(where: evidence.holds)
    return try score == 0 || none.contains(where: evidence.holds) ? 0 : score
  }
}

/// What a family may be known by.
struct FamilyEvidence {
  let source: ModelSource
  let configs: ConfigFiles

  /// - Throws: ``FamilyError`` for a config file that cannot be read.
  func holds(_ fact: FamilyDetection.Fact) throws -> Bool {
    switch fact {
    case .file(let path): return try configs.file(path) != nil
    case .config(let key, let values):
      guard let found = try configs.file("config.json")?[key] else { return false }
      guard let values else { return true }
      let texts = found.string.map { [$0] } ?? (found.array ?? []).compactMap(\.string)
      return texts.contains { values.contains($0) }
    case .tensor(let prefix, let folder):
      return source.tensors.contains { $0.folder == folder && $0.info.name.utf8.starts(with: prefix.utf8) }
    }
  }
}

extension FamilyMap {
  /// The family that a source is of; nil for none, and where two fit equally well.
  /// - Throws: ``FamilyError`` for a config file that cannot be read.
  static func best(for evidence: FamilyEvidence, among maps: [FamilyMap]) throws -> FamilyMap? {
    var best: (score: Int, map: FamilyMap?) = (0, nil)
    for map in maps {
      let score = try map.detection.score(evidence)
      if score > best.score { best = (score, map) } else if score == best.score { best.map = nil }
    }
    return best.map
  }
}
