import Documents
import JSONText
import NetworkRuntime
import Observation

/// What a profiler found, for people and programs.
public struct ProfileReport: Presentation {
  private let profiler: Profiler
  private let mode: ComputeMode

  /// - Parameter mode: how products were computed.
  public init(_ profiler: Profiler, mode: ComputeMode) {
    self.profiler = profiler
    self.mode = mode
  }

  /// Sums over rows that belong together.
  private struct Sum {
    var name: String
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
  }

  // MARK: Text

  public var lines: [String] {
    let tables = [
      phaseTable, rollUp("component") { String($0.path.prefix { $0 != "." }) }, rollUp("kind") { $0.kind.rawValue },
      operationTable,
    ]
    return tables.flatMap { $0 + [""] } + [memoryLine, modeLine]
  }

  private var phaseTable: [String] {
    var table = TextTable([
      ("phase", .left), ("steps", .right), ("wall", .right), ("in operations", .right), ("major faults", .right),
      ("minor faults", .right), ("read", .right),
    ])
    for phase in profiler.phases {
      table.add([
        phase.name, "\(phase.stepCount)", time(phase.seconds),
        Quantity.fixed(100 * phase.operationSeconds / max(phase.seconds, 1e-12), 1) + " %", "\(phase.majorFaults)",
        "\(phase.minorFaults)", Quantity.bytes(phase.readByteCount),
      ])
    }
    return table.lines
  }

  private func rollUp(_ title: String, _ key: (Profiler.Row) -> String) -> [String] {
    var sums: [String: Sum] = [:]
    for row in profiler.rows { sums[key(row), default: Sum(name: key(row))].add(row) }
    return table(title, sums.values.sorted { ($1.seconds, $0.name) < ($0.seconds, $1.name) })
  }

  /// Operations of equal layers in one line, slowest first.
  private var operationTable: [String] {
    let names = profiler.rows.map { $0.phase + "/" + $0.path }
    let lines = NameFolding.fold(names) { profiler.rows[$0].kind.rawValue }
    let sums = lines.map { line in
      var sum = Sum(name: line.name)
      for member in line.members { sum.add(profiler.rows[member]) }
      return sum
    }
    return table("operation", sums.sorted { ($1.seconds, $0.name) < ($0.seconds, $1.name) })
  }

  private func table(_ title: String, _ sums: [Sum]) -> [String] {
    let total = max(1e-12, profiler.rows.reduce(0) { $0 + $1.seconds })
    var table = TextTable([
      (title, .left), ("calls", .right), ("time", .right), ("share", .right), ("GFLOP", .right), ("GFLOP/s", .right),
      ("weights", .right), ("activations", .right), ("GB/s", .right),
    ])
    for sum in sums {
      let seconds = max(sum.seconds, 1e-12)
      table.add([
        sum.name, "\(sum.calls)", time(sum.seconds), Quantity.fixed(100 * sum.seconds / total, 1) + " %",
        Quantity.fixed(Double(sum.operations) / 1e9, 2), Quantity.fixed(Double(sum.operations) / seconds / 1e9, 1),
        Quantity.bytes(sum.weights), Quantity.bytes(sum.activations),
        Quantity.fixed(Double(sum.weights + sum.activations) / seconds / 1e9, 1),
      ])
    }
    return table.lines
  }

  private func time(_ seconds: Double) -> String {
    seconds < 1 ? Quantity.fixed(seconds * 1000, 2) + " ms" : Quantity.fixed(seconds, 2) + " s"
  }

  private var modeLine: String {
    "products computed in \(mode.rawValue)"
      + (profiler.roundedRowCount == 0
        ? ""
        : "; of \(profiler.roundedRowCount) rows of activations in 8 bits \(profiler.outlierRowCount) have a value over 64 times their rms")
  }

  private var memoryLine: String {
    "peak memory: \(Quantity.bytes(profiler.peakAnonymousByteCount)) anonymous, "
      + "\(Quantity.bytes(profiler.peakFileByteCount)) of files"
  }

  // MARK: JSON

  public var json: JSONValue {
    .members([
      "schema": "bantam.profile.1", "compute": .string(mode.rawValue),
      "rounded_rows": .int(profiler.roundedRowCount), "outlier_rows": .int(profiler.outlierRowCount),
      "peak_anonymous_bytes": .int(profiler.peakAnonymousByteCount),
      "peak_file_bytes": .int(profiler.peakFileByteCount),
      "phases": .array(
        profiler.phases.map {
          .members([
            "name": .string($0.name), "steps": .int($0.stepCount), "seconds": .double($0.seconds),
            "operation_seconds": .double($0.operationSeconds), "major_faults": .int($0.majorFaults),
            "minor_faults": .int($0.minorFaults), "read_bytes": .int($0.readByteCount),
          ])
        }),
      "operations": .array(
        profiler.rows.map {
          .members([
            "phase": .string($0.phase), "path": .string($0.path), "kind": .string($0.kind.rawValue),
            "calls": .int($0.callCount), "seconds": .double($0.seconds), "flop": .int($0.operationCount),
            "weight_bytes": .int($0.weightByteCount), "activation_bytes": .int($0.activationByteCount),
          ])
        }),
    ])
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
