import Blip3o
import Documents
import Glibc
import Synchronization
import Tensors

/// Shows the step of a stage and the time left of it on stderr: a line that renews itself on a terminal, else a line at
/// each stage's start and every ten seconds.
final class StepMeter: Sendable {
  private struct State {
    var stage = ""
    var stageStart: UInt64 = 0
    var lastShown: UInt64 = 0
  }

  private let isShown: Bool
  private let state = Mutex(State())

  init(isShown: Bool) { self.isShown = isShown }

  func show(_ progress: RunOptions.Progress) {
    guard isShown else { return }
    let now = MonotonicClock.nanoseconds
    let line: String? = state.withLock { state in
      if state.stage != progress.stage || progress.step == 0 {
        state.stage = progress.stage
        state.stageStart = now
      } else if !Terminal.isInteractive, now - state.lastShown < 10_000_000_000 {
        return nil
      }
      state.lastShown = now
      var line = "\(progress.stage)  step \(progress.step + 1) of \(progress.stepCount)"
      let seconds = Double(now - state.stageStart) / 1e9
      if progress.step > 0 {
        let perStep = seconds / Double(progress.step)
        line += "  \(Quantity.duration(perStep)) a step"
        line += "  \(Quantity.duration(perStep * Double(progress.stepCount - progress.step))) left"
      }
      return line
    }
    if let line { Terminal.renew(line) }
  }

  /// A line that stays.
  func say(_ text: String) {
    if isShown { Terminal.settle(text) }
  }
}
