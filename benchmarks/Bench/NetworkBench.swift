import Blip3o
import Glibc
import Runtime
import Tensors

/// One call of a network on random inputs: seconds, GFLOP, GFLOP/s, bytes of activations; then the same by kind of
/// operation. Usage: bantam-bench network MODEL llm|decode|vision|dit|unet|vae [SIDE|TOKENS] [REPEATS] [THREADS] [f32|bf16|int8|auto]
func benchmarkNetwork(
  _ path: String, _ name: String, _ size: Int?, repeats: Int, threads: Int, mode: ComputeMode
) throws {
  let model = try Model(path: path)
  guard let kind = NetworkTrial.Kind(rawValue: name) else {
    print("networks: " + NetworkTrial.Kind.allCases.map(\.rawValue).joined(separator: ", "))
    exit(64)
  }
  let trial = try NetworkTrial(model, kind, size: size)
  let body = trial.run
  let counter = KindTimes()
  let byteCount = try Execution.plan(mode: mode, observer: counter) { try body($0) }
  guard repeats > 0 else { return print("\(name)  activations \(byteCount / 1_000_000) MB  \(mode)") }
  let run = try Execution(arenaByteCount: byteCount, threadCount: threads, mode: mode)
  // The first call reads the weights from the disk and checks them.
  try body(run)
  let times = try milliseconds(repeats) { try body(run) }
  let median = times[repeats / 2]
  let total = counter.operations.values.reduce(0, +)
  print(
    "\(name)  median \(Int(median)) ms  min \(Int(times[0])) ms  \(total / 1_000_000_000) GFLOP  "
      + "\(Int(Double(total) / median / 1e6)) GFLOP/s  activations \(byteCount / 1_000_000) MB  peak anonymous \(anonymousKilobytes() / 1000) MB  "
      + "threads \(threads)  \(mode)")
  guard repeats > 1 else { return }
  counter.operations = [:]
  run.observer = counter
  try body(run)
  for (kind, seconds) in counter.seconds.sorted(by: { $0.value > $1.value }) {
    let operations = Double(counter.operations[kind]!)
    print("  \(kind)  \(Int(seconds * 1000)) ms  \(Int(operations / seconds / 1e9)) GFLOP/s")
  }
}

/// Seconds and operations by kind.
private final class KindTimes: Observer {
  var operations: [String: Int] = [:]
  var seconds: [String: Double] = [:]
  private var start: UInt64 = 0

  func willRun(_ operation: NetworkOperation) { start = MonotonicClock.nanoseconds }

  func didRun(_ operation: NetworkOperation, output: Activation?) {
    let elapsed = Double(MonotonicClock.nanoseconds - start) / 1e9
    operations[operation.kind.rawValue, default: 0] += operation.operationCount
    seconds[operation.kind.rawValue, default: 0] += elapsed
  }
}
