import Documents
import Synchronization
import Tensors

/// Shows how many of many things are done, and the time left, on stderr.
final class CountMeter: Sendable {
  private let title: String
  private let isShown: Bool
  private let state = Mutex<(start: UInt64?, first: Int, lastShown: UInt64)>((nil, 0, 0))

  init(_ title: String, isShown: Bool) {
    self.title = title
    self.isShown = isShown
  }

  func say(_ text: String) { if isShown { Terminal.say("\(title): \(text)") } }

  func show(_ done: Int, _ count: Int, _ what: String) {
    guard isShown else { return }
    let now = MonotonicClock.nanoseconds
    let line: String? = state.withLock { state in
      if state.start == nil { (state.start, state.first) = (now, done) }
      if !Terminal.isInteractive, now - state.lastShown < 10_000_000_000 { return nil }
      state.lastShown = now
      var line = "\(title)  \(done + 1) of \(count)  \(what)"
      if done > state.first {
        let seconds = Double(now - state.start!) / 1e9 / Double(done - state.first) * Double(count - done)
        line += "  \(Quantity.duration(seconds)) left"
      }
      return line
    }
    if let line { Terminal.renew(line) }
  }

  func finish() { if isShown, Terminal.isInteractive { Terminal.renew("") } }
}
