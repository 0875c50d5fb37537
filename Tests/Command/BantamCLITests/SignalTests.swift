import Foundation
import Testing
import TestSupport

/// A signal ends every command at any moment, with its own exit code and nothing half-written. No test waits for a number of
/// milliseconds: each waits for what the program shows.
@Suite struct SignalTests {
  /// Runs a script that must end by itself; the signal that the program gets is part of it.
  private func run(_ script: String, _ arguments: [String]) throws -> Command { try Command(script: script, arguments) }

  /// Begins the work, waits until the partial output stands there, and sends a signal.
  private static let signalled = """
    cd "$1"; signal=$2; shift 2
    "$BANTAM" "$@" >/dev/null 2>&1 & child=$!
    while ! compgen -G '.*.partial' >/dev/null; do kill -0 $child || exit 99; done
    kill -$signal $child; wait $child
    """

  @Test(arguments: [("INT", Int32(130)), ("TERM", 143), ("HUP", 129)]) func aSignalStopsTheWorkCleanly(
    signal: String, status: Int32
  ) throws {
    let folder = TemporaryFolder()
    // SIGINT is ignored in what a script puts in the background, and stays so unless it is reset.
    let reset = "set -m; " + Self.signalled
    for arguments in [
      ["sample", "s", "--scale", "small", "-q"],
      ["convert", CommandTests.tiny, "-o", "m", "-q"],
      ["quantize", CommandTests.tiny, "-o", "m", "--encoding", "int4", "-q"],
    ] {
      let done = try run(reset, [folder.path, signal] + arguments)
      // A small file may be whole before the signal comes.
      let isWhole = done.status == 0 && folder.names == ["m"]
      #expect(done.status == status || isWhole, "\(arguments): \(done.status)")
      #expect(folder.names.isEmpty || isWhole)
      for name in folder.names { try FileManager.default.removeItem(atPath: folder[name]) }
    }
  }

  /// Who starts the program may have signals blocked, pending, or ignored.
  @Test func aBlockedSignalOfTheParentIsNotLost() throws {
    let folder = TemporaryFolder()
    let script = """
      exec python3 - "$@" <<'END'
      import os, signal, sys
      signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
      os.kill(os.getpid(), signal.SIGTERM)
      os.execv(os.environ["BANTAM"], ["bantam"] + sys.argv[1:])
      END
      """
    let done = try run(script, ["sample", folder["s"], "--scale", "small", "-q"])
    #expect(done.status == 143)
    #expect(folder.names.isEmpty)
  }

  @Test func nohupIsRespected() throws {
    let folder = TemporaryFolder()
    let script = """
      cd "$1"; trap '' HUP
      "$BANTAM" sample s --scale small -q >/dev/null 2>&1 & child=$!
      while ! compgen -G '.*.partial' >/dev/null; do kill -0 $child || exit 99; done
      kill -HUP $child; wait $child
      """
    #expect(try run(script, [folder.path]).status == 0)
    #expect(folder.names == ["s"])
  }

  /// The networks' commands end too, in the middle of their products.
  @Test(arguments: ["generate", "describe", "trace", "profile", "diff"]) func everyCommandEnds(name: String) throws {
    let folder = TemporaryFolder()
    folder.write(PictureFile.png, to: "picture.png")
    let model = CommandTests.archive
    let arguments: [String] =
      switch name {
      case "generate": ["generate", model, "a", "-o", "x.png", "--steps", "1000"]
      case "describe":
        ["describe", model, "picture.png", "What?", "--max-tokens", "100000", "--ignore-eos"]
      case "trace": ["trace", model, "--prompt", "a", "--steps", "1000", "-o", "t"]
      case "profile": ["profile", model, "--prompt", "a", "--steps", "1000"]
      default: ["diff", model, model, "--prompt", "a", "--steps", "1000"]
      }
    // Talk or text shows that the work has begun; then the signal is sent, and no second one.
    let script = """
      cd "$1"; shift
      mkfifo talk
      "$BANTAM" "$@" >talk 2>&1 & child=$!
      exec 3<talk; rm talk
      read -r -n 1 -u 3
      kill -TERM $child; wait $child
      """
    let done = try run(script, [folder.path] + arguments)
    #expect(done.status == 143, "\(name): \(done.status)")
    #expect(folder.names == ["picture.png"])
  }
}
