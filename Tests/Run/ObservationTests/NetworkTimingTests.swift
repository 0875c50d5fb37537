import NetworkRuntime
import Observation
import Testing

@Suite struct NetworkTimingTests {
  /// What stands before all calls counts for none of them, though its memory does.
  @Test func callsAloneCount() throws {
    func timing(before: Bool) throws -> NetworkTiming {
      try NetworkTiming(mode: .f32, threadCount: 1, repeats: 2) { run in
        let x = run.take(width: 8, channels: 8)
        run.fill(x) { $0.update(repeating: 1) }
        if before {
          let other = run.take(width: 64, channels: 8)
          run.fill(other) { $0.update(repeating: 1) }
          try run.apply(.silu, "before", to: other)
        }
        return { try run.apply(.silu, "call", to: x) }
      }
    }
    let (alone, behind) = (try timing(before: false), try timing(before: true))
    #expect(alone.operationCount > 0 && alone.operationCount == behind.operationCount)
    #expect(alone.seconds.count == 2 && behind.activationByteCount > alone.activationByteCount)
  }
}
