import Dispatch
import Glibc
import Report
import Synchronization

/// Shows bytes, rate and time left of long work on stderr: a line that renews itself on a terminal, else a line every
/// ten seconds.
final class ProgressMeter: Sendable {
  private let title: String
  private let total: Int
  private let done = Atomic<Int>(0)
  private let start = DispatchTime.now().uptimeNanoseconds
  // Dispatch sources may be used from any thread; their type does not say so.
  nonisolated(unsafe) private let timer: (any DispatchSourceTimer)?

  /// - Parameter total: bytes of the whole work.
  init(_ title: String, total: Int, isShown: Bool) {
    self.title = title
    self.total = total
    // A source that was never resumed must not be made: releasing it is an error.
    let timer = isShown ? DispatchSource.makeTimerSource(queue: .global()) : nil
    self.timer = timer
    let interval = Terminal.isInteractive ? 0.2 : 10.0
    timer?.schedule(deadline: .now() + interval, repeating: interval)
    timer?.setEventHandler { [weak self] in self?.show() }
    timer?.resume()
  }

  func add(_ byteCount: Int) { done.wrappingAdd(byteCount, ordering: .relaxed) }

  var seconds: Double { Double(DispatchTime.now().uptimeNanoseconds - start) / 1e9 }

  private var line: String {
    let count = done.load(ordering: .relaxed)
    let rate = Double(count) / max(seconds, 1e-3)
    var text = "\(title)  \(Quantity.bytes(count)) of \(Quantity.bytes(total))"
    if total > 0 { text += "  \(Int(100 * Double(count) / Double(total))) %" }
    text += "  \(Quantity.bytes(Int(rate)))/s"
    if rate > 0, count < total { text += "  \(Quantity.duration(Double(total - count) / rate)) left" }
    return text
  }

  private func show() {
    if Terminal.isInteractive {
      Terminal.write("\r\u{1B}[K" + line, to: STDERR_FILENO)
    } else {
      Terminal.say(line)
    }
  }

  /// Stops the display and says how long it took.
  func finish() {
    guard let timer else { return }
    timer.cancel()
    if Terminal.isInteractive { Terminal.write("\r\u{1B}[K", to: STDERR_FILENO) }
    let count = done.load(ordering: .relaxed)
    Terminal.say(
      "\(title)  \(Quantity.bytes(count)) in \(Quantity.duration(seconds))  "
        + "\(Quantity.bytes(Int(Double(count) / max(seconds, 1e-3))))/s")
  }
}
