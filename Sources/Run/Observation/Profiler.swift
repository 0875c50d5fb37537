import NetworkRuntime
import Tensors

/// Measures every operation of a run.
public final class Profiler: Observer {
  /// One operation of one phase, over all its calls.
  public struct Row: Sendable, Equatable {
    public let phase: String
    public let path: String
    public let kind: NetworkOperation.Kind
    public internal(set) var callCount = 0
    public internal(set) var nanoseconds: UInt64 = 0
    public internal(set) var operationCount = 0
    public internal(set) var weightByteCount = 0
    public internal(set) var activationByteCount = 0

    public var seconds: Double { Double(nanoseconds) / 1e9 }
  }

  /// A part of the pipeline, over all its steps.
  public struct Phase: Sendable {
    public let name: String
    public internal(set) var stepCount = 0
    /// Wall time, operations and what is between them.
    public internal(set) var nanoseconds: UInt64 = 0
    /// Time inside operations.
    public internal(set) var operationNanoseconds: UInt64 = 0
    public internal(set) var majorFaults = 0
    public internal(set) var minorFaults = 0
    public internal(set) var readByteCount = 0

    public var seconds: Double { Double(nanoseconds) / 1e9 }
    public var operationSeconds: Double { Double(operationNanoseconds) / 1e9 }
  }

  /// One call, for a time line. Times are nanoseconds since the profiler was made.
  public struct Event: Sendable {
    /// Index into ``rows``; nil for a whole step of a phase.
    public let row: Int?
    public let phase: Int
    public let start: UInt64
    public let nanoseconds: UInt64
  }

  public private(set) var rows: [Row] = []
  public private(set) var phases: [Phase] = []
  public private(set) var events: [Event] = []
  /// Rows of activations that were rounded to 8 bits, and those of them that 8 bits suit badly (``ObservedValues/outlierRatio``).
  public private(set) var roundedRowCount = 0
  public private(set) var outlierRowCount = 0
  /// The highest that was seen at the ends of operations, looked at many times a second.
  public var peakAnonymousByteCount: Int { peaks.anonymous }
  public var peakFileByteCount: Int { peaks.file }

  private struct Key: Hashable {
    let phase: Int
    let path: String
  }

  private struct Peaks {
    var anonymous = 0
    var file = 0

    mutating func look() {
      let usage = ProcessUsage.current
      anonymous = max(anonymous, usage.anonymousByteCount)
      file = max(file, usage.fileByteCount)
    }
  }

  private let epoch = MonotonicClock.nanoseconds
  private var numbers: [Key: Int] = [:]
  private var phase: Int?
  private var phaseStart: UInt64 = 0
  private var usageAtStart = ProcessUsage()
  private var operationStart: UInt64 = 0
  private var peaks = Peaks()
  private var lastLook: UInt64 = 0
  /// Between two looks at the memory: some are needed inside long phases, and each takes some tens of microseconds.
  private static let lookNanoseconds: UInt64 = 20_000_000

  public init() { peaks.look() }

  private var now: UInt64 { MonotonicClock.nanoseconds - epoch }

  public func enter(phase name: String, step: Int) {
    let index =
      phases.firstIndex { $0.name == name }
      ?? {
        phases.append(Phase(name: name))
        return phases.count - 1
      }()
    phase = index
    usageAtStart = .current
    phaseStart = now
  }

  public func leave(phase: String, step: Int) {
    guard let index = self.phase else { return }
    let end = now
    let usage = ProcessUsage.current
    phases[index].stepCount += 1
    phases[index].nanoseconds += end - phaseStart
    phases[index].majorFaults += usage.majorFaults - usageAtStart.majorFaults
    phases[index].minorFaults += usage.minorFaults - usageAtStart.minorFaults
    phases[index].readByteCount += usage.readByteCount - usageAtStart.readByteCount
    events.append(Event(row: nil, phase: index, start: phaseStart, nanoseconds: end - phaseStart))
    peaks.look()
    self.phase = nil
  }

  public func wants(_ path: String) -> ObservedValues { .outliers }

  public func sawOutliers(_ path: String, rows: Int, of count: Int) {
    roundedRowCount += count
    outlierRowCount += rows
  }

  public func willRun(_ operation: NetworkOperation, inputs: [Activation]?) { operationStart = now }

  public func didRun(_ operation: NetworkOperation, output: Activation?) {
    let end = now
    guard let phase, operation.kind != .output else { return }
    let key = Key(phase: phase, path: operation.path)
    let index =
      numbers[key]
      ?? {
        rows.append(Row(phase: phases[phase].name, path: operation.path, kind: operation.kind))
        numbers[key] = rows.count - 1
        return rows.count - 1
      }()
    rows[index].callCount += 1
    rows[index].nanoseconds += end - operationStart
    rows[index].operationCount += operation.operationCount
    rows[index].weightByteCount += operation.weightByteCount
    rows[index].activationByteCount += operation.activationByteCount
    phases[phase].operationNanoseconds += end - operationStart
    events.append(Event(row: index, phase: phase, start: operationStart, nanoseconds: end - operationStart))
    guard end - lastLook >= Self.lookNanoseconds else { return }
    lastLook = end
    peaks.look()
  }
}
