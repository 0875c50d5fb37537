import Foundation

/// The tensors of a release, as `tools/fold_manifest.py` folds them.
public struct ReleaseManifest: Sendable {
  public let tensors: [(name: String, dtype: String, shape: [Int])]

  /// - Parameter name: of a file in `Tests/Weights/ModelSourcesTests/Fixtures/manifests`.
  public init(_ name: String) throws {
    let path = Repository.path("Tests/Weights/ModelSourcesTests/Fixtures/manifests/\(name).txt")
    let text = try String(contentsOfFile: path, encoding: .utf8)
    tensors = text.split(separator: "\n").flatMap { line in
      let parts = line.split(separator: " ")
      let shape = parts[1].split(separator: ",").map { Int($0)! }
      return Self.names(parts[2]).map { (name: $0, dtype: String(parts[0]), shape: shape) }
    }
  }

  /// All names that a folded one stands for.
  private static func names(_ folded: Substring) -> [String] {
    guard let open = folded.firstIndex(of: "{"), let close = folded.firstIndex(of: "}") else { return [String(folded)] }
    let numbers = folded[folded.index(after: open)..<close].split(separator: ",").flatMap { run in
      let ends = run.split(separator: "-").map { Int($0)! }
      return Array(ends.first!...ends.last!)
    }
    let rests = names(folded[folded.index(after: close)...])
    return numbers.flatMap { number in rests.map { folded[..<open] + String(number) + $0 } }
  }
}
