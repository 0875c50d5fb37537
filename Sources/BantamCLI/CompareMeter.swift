import Blip3o
import Documents
import Evidence
import Synchronization
import Tensors

/// Shows which model is at what, and the time left of that model, on stderr: a line that renews itself on a terminal, else a line
/// every ten seconds.
final class CompareMeter: Sendable {
  private struct State {
    var model = ""
    var subject = ""
    var number = 0
    var count = 0
    var modelStart: UInt64 = 0
    var lastShown: UInt64 = 0
  }

  private let isShown: Bool
  private let state = Mutex(State())

  init(isShown: Bool) { self.isShown = isShown }

  func begin(_ model: String, _ subject: EvidenceSubject, of count: Int) {
    state.withLock { state in
      if state.model != model || state.number == count {
        (state.model, state.number, state.modelStart) = (model, 0, MonotonicClock.nanoseconds)
      }
      state.number += 1
      (state.subject, state.count) = (subject.name, count)
    }
  }

  func show(_ progress: RunOptions.Progress) {
    guard isShown else { return }
    let now = MonotonicClock.nanoseconds
    let line: String? = state.withLock { state in
      if !Terminal.isInteractive, now - state.lastShown < 10_000_000_000 { return nil }
      state.lastShown = now
      var line = "\(state.model)  \(state.subject), \(state.number) of \(state.count)"
      line += "  \(progress.stage) \(progress.step + 1) of \(progress.stepCount)"
      let done = state.number - 1
      if done > 0 {
        let seconds = Double(now - state.modelStart) / 1e9 / Double(done) * Double(state.count - done)
        line += "  \(Quantity.duration(seconds)) left"
      }
      return line
    }
    if let line { Terminal.renew(line) }
  }

  func finish() { if isShown, Terminal.isInteractive { Terminal.renew("") } }
}
