import Documents
import JSONText
import NetworkRuntime
import Observation

/// Speeds of a model's networks, for people and programs.
public struct BenchReport {
  public struct Row {
    let network: String
    let size: Int
    let mode: ComputeMode
    let threads: Int
    let timing: NetworkTiming
    /// What the machine gives at best: bytes a second for one row, operations a second for many.
    let limit: Double
    let isBoundByMemory: Bool

    public init(
      network: String, size: Int, mode: ComputeMode, threads: Int, timing: NetworkTiming, limit: Double,
      isBoundByMemory: Bool
    ) {
      self.network = network
      self.size = size
      self.mode = mode
      self.threads = threads
      self.timing = timing
      self.limit = limit
      self.isBoundByMemory = isBoundByMemory
    }

    fileprivate var operationRate: Double { Double(timing.operationCount) / timing.mean }
    fileprivate var byteRate: Double { Double(timing.weightByteCount) / timing.mean }
    fileprivate var fraction: Double { (isBoundByMemory ? byteRate : operationRate) / limit }
  }

  private let path: String
  public var rows: [Row] = []

  public init(path: String) { self.path = path }

  public var document: Document {
    var document = Document(schema: "bantam.bench.1")
    document.data("path", .string(path))
    var table = Table(
      "rows",
      [
        .init("network", "network"), .init("size", "size"), .init("compute", "mode"), .init("threads", "threads"),
        .init("seconds", nil), .init("mean_seconds", nil), .init("deviation_seconds", nil), .init(nil, "ms"),
        .init(nil, "+-", rank: 3), .init("operations", nil), .init("weight_bytes", nil), .init("activation_bytes", nil),
        .init(nil, "GOP/s", rank: 1), .init(nil, "GB/s of weights", rank: 2), .init("fraction_of_limit", "reached"),
        .init("limit", "of"),
      ])
    for row in rows {
      let timing = row.timing
      table.add([
        .text(row.network), .count(row.size), .text(row.mode.rawValue), .count(row.threads),
        .data(.array(timing.seconds.map { .number($0) })), .seconds(timing.mean), .seconds(timing.deviation),
        .number(timing.mean * 1000, places: 1), .number(timing.deviation * 1000, places: 1),
        .count(timing.operationCount), .bytes(timing.weightByteCount), .bytes(timing.activationByteCount),
        .number(row.operationRate / 1e9, places: 1), .number(row.byteRate / 1e9, places: 2),
        .fraction(row.fraction, places: 0), .text(row.isBoundByMemory ? "memory" : "products"),
      ])
    }
    document.add(table)
    return document
  }
}
