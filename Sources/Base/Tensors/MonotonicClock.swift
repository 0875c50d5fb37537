import Glibc

/// A clock that never goes back.
public enum MonotonicClock {
  /// Nanoseconds since some moment in the past.
  public static var nanoseconds: UInt64 {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
  }

  /// Seconds from a moment, as ``nanoseconds`` gave it, to now.
  public static func seconds(since start: UInt64) -> Double { Double(nanoseconds - start) / 1e9 }
}
