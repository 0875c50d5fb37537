/// What a comparison of two models' weights says of the operations that compute with them.
public struct WeightEvidence: Sendable {
  /// Weights that may be at fault themselves, the likeliest first.
  public let suspects: [Suspect]
  /// How both sides store the weights that differ, by name: what is stored alike may be expected to lose alike.
  public let encodings: [String: String]

  public init(suspects: [Suspect], encodings: [String: String]) {
    self.suspects = suspects
    self.encodings = encodings
  }

  /// The operation that computes with a weight, by the matrix that it names or the weight's own name without its last part.
  static func path(of weight: String, in rows: [RunDiff.Row]) -> String? {
    let owner = weight.lastIndex(of: ".").map { weight[..<$0] }
    return rows.first { $0.weight == weight || $0.path[...] == owner }?.path
  }

  /// How the weights of an operation differ; empty where they do not.
  func encodings(of row: RunDiff.Row) -> String { encodings[row.weight ?? row.path + ".weight"] ?? "" }
}
