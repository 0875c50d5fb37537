import Blip3o
import Documents
import Synchronization

/// Shows the step of a stage and the time left of it on stderr: a line that renews itself on a terminal, else a line at
/// each stage's start and every ten seconds.
final class StepMeter: Sendable {
  private struct State {
    var stage = ""
    var pace = MeterPace()
  }

  private let isShown: Bool
  private let state = Mutex(State())

  init(isShown: Bool) { self.isShown = isShown }

  func show(_ progress: RunOptions.Progress) {
    guard isShown else { return }
    let line: String? = state.withLock { state in
      let isNew = state.stage != progress.stage || progress.step == 0
      if isNew {
        state.stage = progress.stage
        state.pace.begin(at: progress.step)
      }
      guard state.pace.isDue(always: isNew) else { return nil }
      var line = "\(progress.stage)  step \(progress.step + 1) of \(progress.stepCount)"
      if let seconds = state.pace.secondsEach(done: progress.step) { line += "  \(Quantity.duration(seconds)) a step" }
      return line + state.pace.left(done: progress.step, of: progress.stepCount)
    }
    if let line { Terminal.renew(line) }
  }

  /// A line that stays.
  func say(_ text: String) {
    if isShown { Terminal.settle(text) }
  }
}
