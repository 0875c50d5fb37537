import Blip3o
import Evidence
import Synchronization

/// Shows which model is at what, and the time left of that model, on stderr: a line that renews itself on a terminal, else a line
/// every ten seconds.
final class CompareMeter: Sendable {
  private struct State {
    var model = ""
    var subject = ""
    var number = 0
    var count = 0
    var pace = MeterPace()
  }

  private let isShown: Bool
  private let state = Mutex(State())

  init(isShown: Bool) { self.isShown = isShown }

  func begin(_ model: String, _ subject: EvidenceSubject, of count: Int) {
    state.withLock { state in
      if state.model != model || state.number == count {
        (state.model, state.number) = (model, 0)
        state.pace.begin()
      }
      state.number += 1
      (state.subject, state.count) = (subject.name, count)
    }
  }

  func show(_ progress: RunOptions.Progress) {
    guard isShown else { return }
    let line: String? = state.withLock { state in
      guard state.pace.isDue() else { return nil }
      return "\(state.model)  \(state.subject), \(state.number) of \(state.count)"
        + "  \(progress.stage) \(progress.step + 1) of \(progress.stepCount)"
        + state.pace.left(done: state.number - 1, of: state.count)
    }
    if let line { Terminal.renew(line) }
  }

  func finish() { if isShown, Terminal.isInteractive { Terminal.renew("") } }
}
