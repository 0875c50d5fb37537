import CLinux

/// A thread of our own. Where the system refuses one, that is said and not waited for.
public enum WorkerThread {
  private final class Body {
    let run: @Sendable () -> Void
    init(_ run: @escaping @Sendable () -> Void) { self.run = run }
  }

  /// Starts a thread that nobody waits for.
  /// - Parameter stackByteCount: 1 MiB is enough for what does not call deeply.
  /// - Throws: ``FileError/noThread(code:)``.
  public static func start(stackByteCount: Int = 1 << 20, _ body: @escaping @Sendable () -> Void) throws(FileError) {
    let held = Unmanaged.passRetained(Body(body))
    let code = clinux_start_thread(
      { argument in
        if let argument { Unmanaged<Body>.fromOpaque(argument).takeRetainedValue().run() }
        return nil
      }, held.toOpaque(), stackByteCount)
    guard code == 0 else {
      held.release()
      throw .noThread(code: code)
    }
  }
}
