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
  let body = try network(name, model, size)
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

private func network(_ name: String, _ model: Model, _ size: Int?) throws -> (Execution) throws -> Void {
  func fill(_ run: Execution, _ x: Activation) {
    run.fill(x) { values in
      for index in values.indices { values[index] = Float((index * 2_654_435_761) % 2048) / 1024 - 1 }
    }
  }
  switch name {
  case "llm":
    let language = try model.languageModel()
    let count = size ?? 110
    return { run in
      let x = run.take(width: count, channels: model.language.hiddenSize)
      fill(run, x)
      try language.forward(run, x, positions: (0..<count).map { ($0, $0, $0) })
      run.give(x)
    }
  case "decode":
    // One token behind those that the cache holds.
    let language = try model.languageModel()
    let count = size ?? 512
    let cache = try KeyValueCache(model.language, capacity: count + 1)
    cache.advance(by: count)
    return { run in
      let x = run.take(width: 1, channels: model.language.hiddenSize)
      fill(run, x)
      try language.forward(run, x, positions: [(count, count, count)], cache: cache)
      let logits = run.take(width: 1, channels: model.language.vocabularySize)
      try language.logits(run, x, into: logits)
      run.give(logits)
      run.give(x)
    }
  case "vision":
    let tower = try model.visionTower()
    let side = size ?? 32
    return { run in
      let pixels = run.take(width: side * side, channels: tower.config.patchWidth)
      fill(run, pixels)
      let out = run.take(width: side * side / 4, channels: tower.config.outputSize)
      try tower.forward(run, pixels, rows: side, columns: side, into: out)
      run.give(out)
      run.give(pixels)
    }
  case "dit":
    let dit = try model.dit()
    return { run in
      let condition = run.take(batch: 2, width: model.language.queryCount, channels: model.language.hiddenSize)
      fill(run, condition)
      let context = try dit.context(run, condition)
      run.give(condition)
      let x = run.take(batch: 2, width: dit.config.gridSide * dit.config.gridSide, channels: dit.config.channels)
      fill(run, x)
      let velocity = run.take(like: x)
      try dit.forward(run, x, timestep: 966, context, into: velocity)
      run.give(velocity)
      run.give(x)
      dit.give(run, context)
    }
  case "unet":
    let unet = try model.unet()
    let side = size ?? 128
    return { run in
      let context = run.take(batch: 2, width: 64, channels: unet.config.contextWidth)
      let pooled = run.take(batch: 2, width: 1, channels: unet.config.contextWidth)
      let x = run.take(batch: 2, height: side, width: side, channels: unet.config.inputChannels)
      let noise = run.take(like: x)
      [context, pooled, x].forEach { fill(run, $0) }
      try unet.forward(
        run, x, timestep: 981, context: context, pooled: pooled, timeIDs: [1024, 1024, 0, 0, 1024, 1024], into: noise)
      [context, pooled, x, noise].forEach(run.give)
    }
  default:
    let vae = try model.vaeDecoder()
    let side = size ?? 128
    return { run in
      let z = run.take(height: side, width: side, channels: vae.config.latentChannels)
      let image = run.take(height: side * vae.config.scale, width: side * vae.config.scale, channels: 3)
      fill(run, z)
      try vae.forward(run, z, into: image)
      [z, image].forEach(run.give)
    }
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
