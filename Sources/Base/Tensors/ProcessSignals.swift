import CLinux

/// Signals that end a program.
public enum ProcessSignals {
  /// SIGINT, SIGTERM and SIGHUP end the program at any moment with 128 + signal, after outputs that are not whole were removed.
  /// A closed pipe and a size limit are errors of the calls that meet them. For programs, not for libraries: call it first of all.
  public static func handle() { clinux_handle_signals() }
}
