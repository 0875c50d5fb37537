import Kernels
@testable import NetworkRuntime
import Tensors
import Testing
import TestSupport

@Suite struct ExecutionTests {
  /// Memory that is given back is used again, also between neighbours that become one.
  @Test func planIsThePeak() throws {
    let peak = try Execution.plan { run in
      let a = run.take(width: 100, channels: 16)
      let b = run.take(width: 100, channels: 16)
      let c = run.take(width: 100, channels: 16)
      run.give(b)
      run.give(a)
      let d = run.take(width: 200, channels: 16)
      run.give(c)
      run.give(d)
      _ = run.take(width: 300, channels: 16)
    }
    #expect(peak == 300 * 16 * 4)
  }

  private final class Recorder: Observer {
    var paths: [String] = []
    var valuesSeen = 0

    func didRun(_ operation: NetworkOperation, output: Activation?) {
      paths.append(operation.path)
      if output != nil { valuesSeen += 1 }
    }
    func wants(_ path: String) -> ObservedValues { .output }
  }

  @Test func observerSeesEveryOperationOnceAndValuesOnlyInEarnest() throws {
    let layer = Linear(path: "l", weight: try weight([1, 2, 3, 4], outputs: 2, inputs: 2))
    func body(_ run: Execution) throws {
      let x = run.input([1, 1], width: 1, channels: 2)
      let y = run.take(like: x)
      try run.linear(layer, x, into: y)
      try run.apply(.silu, "s", to: y)
      try run.emit("block", y)
    }
    let planner = Recorder()
    let byteCount = try Execution.plan(observers: [planner], body)
    #expect(planner.paths == ["l", "s", "block"] && planner.valuesSeen == 0)
    let recorder = Recorder()
    try body(Execution(arenaByteCount: byteCount, threadCount: 1, observers: [recorder]))
    #expect(recorder.paths == planner.paths && recorder.valuesSeen == 3)
  }

  @Test func operationsAreCountedByTheirFormulas() throws {
    final class Last: Observer {
      var operation: NetworkOperation?
      func didRun(_ operation: NetworkOperation, output: Activation?) { self.operation = operation }
    }
    let last = Last()
    let layer = Linear(
      path: "l", weight: try weight([Float](repeating: 0, count: 15), outputs: 5, inputs: 3, dtype: .bf16))
    _ = try Execution.plan(observers: [last]) { run in
      let x = run.take(width: 7, channels: 3)
      try run.linear(layer, x, into: run.take(width: 7, channels: 5))
    }
    #expect(
      last.operation
        == NetworkOperation(
          path: "l", kind: .linear, weight: "w", operationCount: 2 * 7 * 3 * 5, weightByteCount: 30,
          activationByteCount: 4 * 7 * (3 + 5)))
  }

  @Test func cancellationStopsBeforeTheNextOperation() throws {
    let cancellation = Cancellation()
    let run = try Execution(arenaByteCount: 4096, threadCount: 1, cancellation: cancellation)
    let x = run.input([1], width: 1, channels: 1)
    try run.apply(.silu, "s", to: x)
    cancellation.cancel()
    #expect(throws: FileError.cancelled) { try run.apply(.silu, "s", to: x) }
  }
}
