import BantamArchive
import Documents
import Kernels
import ModelSources
import Synchronization
import Tensors

/// Looks for tensors that no healthy model has.
///
/// A `.bantam` file answers from its recorded statistics; of other sources the values are read.
public struct HealthCheck: Sendable {
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

  private let path: String
  public let findings: [Finding]

  public init(_ inspection: Inspection, resources: Resources) throws {
    path = inspection.source.path
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
          findings.append(
            .init(rule: "H3", name: name, message: "a value of magnitude \(Quantity.scientific(magnitude))"))
        } else if !isZero, statistics.rms < Self.smallestSaneRMS, statistics.nonfiniteCount < tensor.info.elementCount {
          findings.append(
            .init(rule: "H3", name: name, message: "values are vanishing: rms \(Quantity.scientific(statistics.rms))"))
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

  public var document: Document {
    var document = Document(schema: "bantam.health.1")
    document.data("path", .string(path))
    var table = Table(
      "findings", [.init("rule", "rule"), .init("name", "tensor"), .init("message", "finding")], usualCount: 30)
    for finding in findings { table.add([.text(finding.rule), .name(finding.name), .text(finding.message)]) }
    document.add(table)
    document.note(
      findings.isEmpty ? "health: nothing found" : "health: \(findings.count) finding\(findings.count == 1 ? "" : "s")")
    return document
  }
}
