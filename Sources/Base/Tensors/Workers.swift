import Glibc
import Synchronization

/// Work on items in parallel, each item by one thread, taken in order from one queue.
public enum Workers {
  /// As many threads as processors, at most 16.
  public static var usualCount: Int { max(1, min(16, sysconf(Int32(_SC_NPROCESSORS_ONLN)))) }

  /// Calls `body(worker, item)` for each item below `itemCount` on up to `threadCount` threads: this one, and those that the
  /// system gives.
  public static func run(
    threadCount: Int, itemCount: Int, _ body: @Sendable (_ worker: Int, _ item: Int) -> Void
  ) {
    let workers = max(1, min(threadCount, itemCount))
    if workers == 1 {
      for item in 0..<max(0, itemCount) { body(0, item) }
    } else {
      WorkerPool.shared.run(helpers: workers - 1, itemCount: itemCount, body)
    }
  }

  /// The same for a body that may throw.
  ///
  /// The first error stops the others at their next item and is thrown; of several, that of the lowest item.
  public static func run<Failure: Error>(
    threadCount: Int, itemCount: Int, _ body: @Sendable (_ worker: Int, _ item: Int) throws(Failure) -> Void
  ) throws(Failure) {
    let failure = Mutex<(item: Int, error: Failure)?>(nil)
    run(threadCount: threadCount, itemCount: itemCount) { (worker: Int, item: Int) -> Void in
      // Lower items still run: their error is the one to throw.
      guard failure.withLock({ held in held.map { item < $0.item } ?? true }) else { return }
      do throws(Failure) {
        try body(worker, item)
      } catch {
        failure.withLock { held in
          if held.map({ item < $0.item }) ?? true { held = (item, error) }
        }
      }
    }
    if let failed = failure.withLock({ $0 }) { throw failed.error }
  }

  /// Calls `body(part)` once for each part below `partCount`, on up to as many threads.
  public static func share(partCount: Int, _ body: @Sendable (_ part: Int) -> Void) {
    run(threadCount: partCount, itemCount: partCount) { _, part in body(part) }
  }
}
