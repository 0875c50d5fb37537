import Blip3o
import Glibc
import NetworkRuntime
import Observation
import Tensors

/// One call of a network on random inputs: seconds, GFLOP, GFLOP/s, bytes of activations; then the same by kind of
/// operation. Usage: bantam-bench network MODEL llm|decode|vision|dit|unet|vae [SIDE|TOKENS|0] [REPEATS] [THREADS] [f32|bf16|int8|auto]
func benchmarkNetwork(
  _ path: String, _ name: String, _ size: Int?, repeats: Int, threads: Int, mode: ComputeMode
) throws {
  let model = try Model(path: path)
  guard let kind = NetworkTrial.Kind(rawValue: name) else {
    print("networks: " + NetworkTrial.Kind.allCases.map(\.rawValue).joined(separator: ", "))
    exit(64)
  }
  let trial = try NetworkTrial(model, kind, size: size)
  var peak = 0
  let timing = try NetworkTiming(mode: mode, threadCount: threads, repeats: repeats) { run in
    let call = try trial.begin(run)
    return {
      try call()
      peak = max(peak, anonymousKilobytes())
    }
  }
  let times = timing.seconds.map { $0 * 1000 }.sorted()
  let median = times[times.count / 2]
  print(
    "\(name)  median \(Int(median)) ms  min \(Int(times[0])) ms  \(timing.operationCount / 1_000_000_000) GFLOP  "
      + "\(Int(Double(timing.operationCount) / median / 1e6)) GFLOP/s  activations \(timing.activationByteCount / 1_000_000) MB  "
      + "peak anonymous \(peak / 1000) MB  threads \(threads)  \(mode)")
  guard repeats > 1 else { return }
  let counter = KindTimes()
  let run = try Execution(
    arenaByteCount: timing.activationByteCount, threadCount: threads, mode: mode, observers: [counter])
  let call = try trial.begin(run)
  counter.forget()
  try call()
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

  func forget() { (operations, seconds) = ([:], [:]) }

  func willRun(_ operation: NetworkOperation, inputs: [Activation]?) { start = MonotonicClock.nanoseconds }

  func didRun(_ operation: NetworkOperation, output: Activation?) {
    let elapsed = Double(MonotonicClock.nanoseconds - start) / 1e9
    operations[operation.kind.rawValue, default: 0] += operation.operationCount
    seconds[operation.kind.rawValue, default: 0] += elapsed
  }
}
