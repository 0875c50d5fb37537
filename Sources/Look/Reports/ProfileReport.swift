import Documents
import JSONText
import NetworkRuntime
import Observation

/// What a profiler found, for people and programs.
public struct ProfileReport {
  private let profiler: Profiler
  private let mode: ComputeMode

  /// - Parameter mode: how products were computed.
  public init(_ profiler: Profiler, mode: ComputeMode) {
    self.profiler = profiler
    self.mode = mode
  }

  public var document: Document {
    var document = Document(schema: "bantam.profile.1")
    document.fact("compute", "compute", .text(mode.rawValue))
    document.data("rounded_rows", .int(profiler.roundedRowCount))
    document.data("outlier_rows", .int(profiler.outlierRowCount))
    if profiler.roundedRowCount > 0 {
      document.fact(
        nil, "8 bits",
        .text(
          "\(profiler.outlierRowCount) of \(profiler.roundedRowCount) rows of activations have a value over "
            + "\(ObservedValues.outlierRatio) times their rms"))
    }
    document.fact("peak_anonymous_bytes", "peak memory", .bytes(profiler.peakAnonymousByteCount))
    document.fact("peak_file_bytes", "  of files", .bytes(profiler.peakFileByteCount))
    document.add(phaseTable)
    document.add(rollUp("component") { String($0.path.prefix { $0 != "." }) })
    document.add(rollUp("kind") { $0.kind.rawValue })
    document.add(operationTable)
    return document
  }

  private var phaseTable: Table {
    var table = Table(
      "phases",
      [
        .init("name", "phase"), .init("steps", "steps"), .init("seconds", "wall"), .init("operation_seconds", nil),
        .init(nil, "in operations"), .init("major_faults", "major faults", rank: 2),
        .init("minor_faults", "minor faults", rank: 3), .init("read_bytes", "read", rank: 1),
      ])
    for phase in profiler.phases {
      table.add([
        .name(phase.name), .count(phase.stepCount), .seconds(phase.seconds), .seconds(phase.operationSeconds),
        .fraction(phase.operationSeconds / max(phase.seconds, 1e-12)), .count(phase.majorFaults),
        .count(phase.minorFaults), .bytes(phase.readByteCount),
      ])
    }
    return table
  }

  /// What a row, or rows that belong together, cost.
  private struct Cost {
    var calls = 0
    var seconds = 0.0
    var operations = 0
    var weights = 0
    var activations = 0

    mutating func add(_ row: Profiler.Row) {
      calls += row.callCount
      seconds += row.seconds
      operations += row.operationCount
      weights += row.weightByteCount
      activations += row.activationByteCount
    }

    /// - Parameter total: seconds of all rows.
    func cells(_ total: Double) -> [Cell] {
      let (gigaFLOP, gigabytes) = (Double(operations) / 1e9, Double(weights + activations) / 1e9)
      return [
        .count(calls), .seconds(seconds), .fraction(seconds / max(total, 1e-12)), .count(operations),
        .number(gigaFLOP, places: 2), .number(gigaFLOP / max(seconds, 1e-12), places: 1), .bytes(weights),
        .bytes(activations), .number(gigabytes, places: 2), .number(gigabytes / max(seconds, 1e-12), places: 1),
      ]
    }

    /// Columns of the cells, which stand behind `start` others.
    static func columns(behind start: Int) -> [Table.Column] {
      [
        .init("calls", "calls", fold: .sum, rank: 3), .init("seconds", "time", fold: .sum),
        .init(nil, "share", fold: .sum), .init("flop", nil), .init(nil, "GFLOP", fold: .sum, rank: 6),
        .init(nil, "GFLOP/s", fold: .ratio(of: start + 4, to: start + 1), rank: 1),
        .init("weight_bytes", "weights", fold: .sum, rank: 4),
        .init("activation_bytes", "activations", fold: .sum, rank: 5), .init(nil, nil),
        .init(nil, "GB/s", fold: .ratio(of: start + 8, to: start + 1), rank: 2),
      ]
    }
  }

  private var totalSeconds: Double { profiler.rows.reduce(0) { $0 + $1.seconds } }

  /// Sums for people alone, slowest first.
  private func rollUp(_ title: String, _ key: (Profiler.Row) -> String) -> Table {
    var costs: [String: Cost] = [:]
    for row in profiler.rows { costs[key(row), default: Cost()].add(row) }
    var table = Table(nil, [.init(nil, title)] + Cost.columns(behind: 1), order: .init(2, ascending: false))
    for (name, cost) in costs.sorted(by: { $0.key < $1.key }) { table.add([.name(name)] + cost.cells(totalSeconds)) }
    return table
  }

  /// Operations of equal layers come together, slowest first.
  private var operationTable: Table {
    let (rows, total) = (profiler.rows, totalSeconds)
    var table = Table(
      "operations",
      [.init("phase", nil), .init("path", nil), .init("kind", nil), .init(nil, "operation")] + Cost.columns(behind: 4),
      folding: .init(by: 3) { rows[$0].kind.rawValue }, order: .init(5, ascending: false), usualCount: 30)
    for row in rows {
      var cost = Cost()
      cost.add(row)
      table.add(
        [.text(row.phase), .text(row.path), .text(row.kind.rawValue), .name(row.phase + "/" + row.path)]
          + cost.cells(total))
    }
    return table
  }

  /// A time line in the Trace Event Format, which Perfetto and chrome://tracing open: complete events ("X"), times in
  /// microseconds, phases on one row and operations on the next.
  public var traceEvents: JSONValue {
    func event(_ name: String, _ category: String, _ thread: Int, _ event: Profiler.Event, _ arguments: JSONValue)
      -> JSONValue
    {
      .members([
        "name": .string(name), "cat": .string(category), "ph": "X", "ts": .double(Double(event.start) / 1000),
        "dur": .double(Double(event.nanoseconds) / 1000), "pid": 1, "tid": .int(thread), "args": arguments,
      ])
    }
    func name(_ thread: Int, _ text: String) -> JSONValue {
      .members([
        "name": "thread_name", "ph": "M", "pid": 1, "tid": .int(thread), "args": .members(["name": .string(text)]),
      ])
    }
    let events = profiler.events.map { found -> JSONValue in
      guard let number = found.row else {
        return event(profiler.phases[found.phase].name, "phase", 1, found, .members([:]))
      }
      let row = profiler.rows[number]
      return event(
        row.path, row.kind.rawValue, 2, found,
        .members([
          "flop": .int(row.operationCount / max(1, row.callCount)),
          "weight_bytes": .int(row.weightByteCount / max(1, row.callCount)),
        ]))
    }
    return .members([
      "displayTimeUnit": "ms", "traceEvents": .array([name(1, "phases"), name(2, "operations")] + events),
    ])
  }
}
