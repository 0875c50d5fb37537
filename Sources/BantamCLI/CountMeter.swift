import Synchronization

/// Shows how many of many things are done, and the time left, on stderr.
final class CountMeter: Sendable {
  private let title: String
  private let isShown: Bool
  private let pace = Mutex<MeterPace?>(nil)

  init(_ title: String, isShown: Bool) {
    self.title = title
    self.isShown = isShown
  }

  func say(_ text: String) { if isShown { Terminal.say("\(title): \(text)") } }

  func show(_ done: Int, _ count: Int, _ what: String) {
    guard isShown else { return }
    let line: String? = pace.withLock { found in
      var pace = found ?? MeterPace()
      if found == nil { pace.begin(at: done) }
      defer { found = pace }
      return pace.isDue() ? "\(title)  \(done + 1) of \(count)  \(what)" + pace.left(done: done, of: count) : nil
    }
    if let line { Terminal.renew(line) }
  }

  func finish() { if isShown, Terminal.isInteractive { Terminal.renew("") } }
}
