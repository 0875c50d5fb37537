import Documents
import JSONText
import NetworkRuntime
import Observation

/// Speeds of a model's networks, for people and programs.
public struct BenchReport {
  public enum Format: String, CaseIterable, Sendable {
    case text, md, csv, json
  }

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

    fileprivate var cells: [String] {
      [
        network, "\(size)", mode.rawValue, "\(threads)", Quantity.fixed(timing.mean * 1000, 1),
        Quantity.fixed(timing.deviation * 1000, 1), Quantity.fixed(operationRate / 1e9, 1),
        Quantity.fixed(byteRate / 1e9, 2),
        Quantity.fixed(fraction, 2) + (isBoundByMemory ? " of memory" : " of products"),
      ]
    }
  }

  private static let titles = ["network", "size", "mode", "threads", "ms", "+-", "GOP/s", "GB/s of weights", "limit"]

  private let path: String
  public var rows: [Row] = []

  public init(path: String) { self.path = path }

  public func lines(_ format: Format) -> [String] {
    switch format {
    case .text:
      var table = TextTable(Self.titles.enumerated().map { ($1, [0, 2, 8].contains($0) ? .left : .right) })
      for row in rows { table.add(row.cells) }
      return table.lines
    case .md:
      let lines = [Self.titles, Self.titles.map { _ in "---" }] + rows.map(\.cells)
      return lines.map { "| " + $0.joined(separator: " | ") + " |" }
    case .csv: return ([Self.titles] + rows.map(\.cells)).map { $0.joined(separator: ",") }
    case .json: return json.lines(indent: 1)
    }
  }

  public var json: JSONValue {
    .members([
      "schema": "bantam.bench.1", "path": .string(path),
      "rows": .array(
        rows.map { row in
          .members([
            "network": .string(row.network), "size": .int(row.size), "compute": .string(row.mode.rawValue),
            "threads": .int(row.threads), "seconds": .array(row.timing.seconds.map { .double($0) }),
            "mean_seconds": .double(row.timing.mean), "deviation_seconds": .double(row.timing.deviation),
            "operations": .int(row.timing.operationCount), "weight_bytes": .int(row.timing.weightByteCount),
            "activation_bytes": .int(row.timing.activationByteCount), "fraction_of_limit": .double(row.fraction),
            "limit": row.isBoundByMemory ? "memory" : "products",
          ])
        }),
    ])
  }
}
