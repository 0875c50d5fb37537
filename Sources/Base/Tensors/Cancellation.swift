import Synchronization

/// A wish to stop, looked at between pieces of work.
public final class Cancellation: Sendable {
  private let isWished = Atomic<Bool>(false)

  public init() {}

  public func cancel() { isWished.store(true, ordering: .relaxed) }

  /// - Throws: ``FileError/cancelled`` once ``cancel()`` was called.
  public func check() throws(FileError) {
    if isWished.load(ordering: .relaxed) { throw .cancelled }
  }
}
