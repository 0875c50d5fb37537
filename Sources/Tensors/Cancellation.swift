import Glibc
import Synchronization

/// A wish to stop, set by a signal and looked at between pieces of work.
public final class Cancellation: Sendable {
  private let signal = Atomic<Int32>(0)

  public init() {}

  public func cancel(signal number: Int32) { signal.store(number, ordering: .relaxed) }

  /// - Throws: ``FileError/interrupted(signal:)`` once ``cancel(signal:)`` was called.
  public func check() throws(FileError) {
    let number = signal.load(ordering: .relaxed)
    if number != 0 { throw .interrupted(signal: number) }
  }
}
