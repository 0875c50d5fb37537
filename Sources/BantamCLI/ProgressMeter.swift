import Documents
import Glibc
import Synchronization
import Tensors

/// Shows bytes, rate and time left of long work on stderr: a line that renews itself on a terminal, else a line every
/// ten seconds. Whoever does the work shows it; there is no thread of its own.
final class ProgressMeter: Sendable {
  private let title: String
  private let total: Int
  private let isShown: Bool
  private let done = Atomic<Int>(0)
  private let start = MonotonicClock.nanoseconds
  /// When the next line is due.
  private let due: Atomic<UInt64>
  private let interval: UInt64

  /// - Parameter total: bytes of the whole work.
  init(_ title: String, total: Int, isShown: Bool) {
    self.title = title
    self.total = total
    self.isShown = isShown
    interval = Terminal.isInteractive ? 200_000_000 : 10_000_000_000
    due = Atomic(start + interval)
  }

  func add(_ byteCount: Int) {
    done.add(byteCount, ordering: .relaxed)
    guard isShown else { return }
    let (now, next) = (MonotonicClock.nanoseconds, due.load(ordering: .relaxed))
    // One of several threads gets to show it.
    if now >= next, due.compareExchange(expected: next, desired: now + interval, ordering: .relaxed).exchanged {
      Terminal.renew(line)
    }
  }

  var seconds: Double { MonotonicClock.seconds(since: start) }

  private var line: String {
    let count = done.load(ordering: .relaxed)
    let rate = Double(count) / max(seconds, 1e-3)
    var text = "\(title)  \(Quantity.bytes(count)) of \(Quantity.bytes(total))"
    if total > 0 { text += "  \(Int(100 * Double(count) / Double(total))) %" }
    text += "  \(Quantity.bytes(Int(rate)))/s"
    if rate > 0, count < total { text += "  \(Quantity.duration(Double(total - count) / rate)) left" }
    return text
  }

  /// Stops the display and says how long it took.
  func finish() {
    guard isShown else { return }
    let count = done.load(ordering: .relaxed)
    Terminal.settle(
      "\(title)  \(Quantity.bytes(count)) in \(Quantity.duration(seconds))  "
        + "\(Quantity.bytes(Int(Double(count) / max(seconds, 1e-3))))/s")
  }
}
