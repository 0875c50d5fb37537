import Documents
import Tensors

/// When a line of progress is due, and how long what is left will take: on a terminal a line renews itself, else one comes every ten
/// seconds.
struct MeterPace: Sendable {
  private var start: UInt64 = 0
  private var first = 0
  private var lastShown: UInt64 = 0

  /// Counts from here on.
  /// - Parameter done: what was there before, such as from a run that was stopped: it tells nothing of the pace.
  mutating func begin(at done: Int = 0) { (start, first) = (MonotonicClock.nanoseconds, done) }

  /// Whether a line is due; who asks shows it.
  mutating func isDue(always: Bool = false) -> Bool {
    let now = MonotonicClock.nanoseconds
    guard always || Terminal.isInteractive || now - lastShown >= 10_000_000_000 else { return false }
    lastShown = now
    return true
  }

  /// Seconds that one thing takes; nil before one is done.
  func secondsEach(done: Int) -> Double? {
    done > first ? MonotonicClock.seconds(since: start) / Double(done - first) : nil
  }

  /// Two spaces and the time left; nothing before a thing is done.
  func left(done: Int, of count: Int) -> String {
    secondsEach(done: done).map { "  \(Quantity.duration($0 * Double(count - done))) left" } ?? ""
  }
}
