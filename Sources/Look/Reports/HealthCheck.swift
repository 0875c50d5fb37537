import BantamArchive
import JSONText
import Kernels
import ModelSources
import Synchronization
import Tensors

/// Looks for tensors that no healthy model has.
///
/// A `.bantam` file answers from its recorded statistics; of other sources the values are read.
public struct HealthCheck: Presentation, Sendable {
  public struct Finding: Sendable {
    /// `H1` to `H4`.
    public let rule: String
    public let name: String
    public let message: String
  }

  /// Values beyond this are absurd for a weight.
  static let largestSaneMagnitude = 1e5
  /// A root mean square below this means a tensor that does nothing.
  static let smallestSaneRMS = 1e-12

  public let findings: [Finding]

  public init(_ inspection: Inspection, resources: Resources) throws {
    let facts = try Self.facts(inspection, resources)
    var findings: [Finding] = []
    var owners: [Digest: String] = [:]
    for tensor in inspection.tensors {
      guard let fact = facts[tensor.number] else { continue }
      let name = tensor.name.text
      if let statistics = fact.statistics {
        if statistics.nonfiniteCount > 0 {
          findings.append(
            .init(rule: "H1", name: name, message: "\(statistics.nonfiniteCount) values are NaN or infinite"))
        }
        let isZero = tensor.info.elementCount > 0 && statistics.zeroCount == tensor.info.elementCount
        if isZero { findings.append(.init(rule: "H2", name: name, message: "all values are zero")) }
        let magnitude = max(abs(statistics.minimum), abs(statistics.maximum))
        if magnitude.isFinite && magnitude > Self.largestSaneMagnitude {
          findings.append(.init(rule: "H3", name: name, message: "a value of magnitude \(magnitude)"))
        } else if !isZero, statistics.rms < Self.smallestSaneRMS, statistics.nonfiniteCount < tensor.info.elementCount {
          findings.append(.init(rule: "H3", name: name, message: "values are vanishing: rms \(statistics.rms)"))
        }
        if isZero { continue }
      }
      // Small tensors are equal by chance: norms of ones and the like.
      if let digest = fact.digest, tensor.info.elementCount >= 4096, !tensor.encoding.hasPrefix("same as") {
        if let other = owners.updateValue(name, forKey: digest) {
          findings.append(.init(rule: "H4", name: name, message: "has the same bytes as '\(other)'"))
        }
      }
    }
    self.findings = findings
  }

  private struct Fact {
    let statistics: ArchiveIndex.Statistics?
    let digest: Digest?
  }

  private static func facts(_ inspection: Inspection, _ resources: Resources) throws -> [Int: Fact] {
    if let archive = inspection.source.archive {
      return Dictionary(
        uniqueKeysWithValues: archive.index.tensors.enumerated().map {
          ($0, Fact(statistics: $1.statistics, digest: $1.source?.digest))
        })
    }
    let source = inspection.source
    let tensors = inspection.tensors.filter { source.isReadable($0.number) }
    let buffers = try (0..<resources.threadCount).map { _ in try AlignedBuffer(byteCount: Resources.streamByteCount) }
    let found = Mutex<[Int: Fact]>([:])
    try Workers.run(threadCount: resources.threadCount, itemCount: tensors.count) { worker, item in
      let number = tensors[item].number
      let dtype = tensors[item].info.dtype
      var statistics = ValueStatistics()
      let hash = SHA256()
      try source.stream(number, through: buffers[worker], cancellation: resources.cancellation) {
        statistics.add($0, dtype: dtype)
        hash.update($0)
        resources.progress($0.count)
      }
      let fact = Fact(
        statistics: ValueStatistics.isSupported(dtype) ? .init(statistics) : nil, digest: hash.finish())
      found.withLock { $0[number] = fact }
    }
    return found.withLock { $0 }
  }

  public var lines: [String] {
    guard !findings.isEmpty else { return ["health: nothing found"] }
    return findings.map { "\($0.rule)  \(PrintableText.shortened($0.name)): \($0.message)" }
      + ["health: \(findings.count) finding\(findings.count == 1 ? "" : "s")"]
  }

  public var json: JSONValue {
    .array(
      findings.map {
        .members(["rule": .string($0.rule), "name": .string($0.name), "message": .string($0.message)])
      })
  }
}
