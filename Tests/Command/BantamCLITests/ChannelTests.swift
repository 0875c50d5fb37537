import Foundation
import JSONText
import Testing
import TestSupport

/// What stands between the program and its reader may fail: that is an error, told on the other channel, never a hang.
@Suite struct ChannelTests {
  @Test(arguments: [
    ["--help"], ["--version"], ["convert", "--help"], ["help", "quantize"], ["inspect", "MODEL"],
    ["inspect", "MODEL", "--json"],
    ["verify", "MODEL", "--json", "-q"], ["doctor"], ["tokenize", "MODEL", "--text", "a"],
    ["chat", "MODEL", "a", "--max-tokens", "1", "-q"], ["inspect", "/absent/file", "--json"],
  ]) func aFullOutputIsAnError(arguments: [String]) throws {
    let done = try Command(
      script: #"exec "$BANTAM" "$@" >/dev/full"#, arguments.map { $0 == "MODEL" ? CommandTests.archive : $0 })
    #expect(done.status == (arguments.contains("/absent/file") ? 66 : 74), "\(arguments): \(done.status)")
    #expect(!done.errors.isEmpty)
  }

  @Test func closedAndFullChannelsOfTalkChangeNothing() throws {
    for redirection in ["2>/dev/full", "2>&-"] {
      let folder = TemporaryFolder()
      let done = try Command(
        script: #"exec "$BANTAM" convert "$1" -o "$2" \#(redirection)"#, [CommandTests.tiny, folder["m"]])
      #expect(done.status == 0)
      #expect(folder.bytes(of: "m") == CommandTests.folder.bytes(of: "tiny.bantam"))
    }
  }

  @Test func bothChannelsMayFail() throws {
    for redirection in [">/dev/full 2>/dev/full", ">&- 2>&-", ">/dev/full 2>&-"] {
      let done = try Command(script: #"exec "$BANTAM" inspect "$1" --all \#(redirection)"#, [CommandTests.archive])
      #expect(done.status == 74, "\(redirection): \(done.status)")
    }
  }

  /// A reader that has enough is no error of the program's, and a pipe that does not block is waited for.
  @Test func pipesAreNoReasonToLoseText() throws {
    let whole = try Command(["inspect", CommandTests.archive, "--all", "--json", "-q"]).output
    let slow = """
      exec python3 - "$@" <<'END'
      import fcntl, os, subprocess, sys
      r, w = os.pipe()
      fcntl.fcntl(w, fcntl.F_SETFL, fcntl.fcntl(w, fcntl.F_GETFL) | os.O_NONBLOCK)
      fcntl.fcntl(w, 1031, 4096)
      child = subprocess.Popen([os.environ["BANTAM"]] + sys.argv[1:], stdout=w)
      os.close(w)
      with os.fdopen(r, "rb") as pipe: sys.stdout.buffer.write(pipe.read())
      sys.exit(child.wait())
      END
      """
    let read = try Command(script: slow, ["inspect", CommandTests.archive, "--all", "--json", "-q"])
    #expect(read.status == 0 && read.output == whole)
    let cut = try Command(
      script: #""$BANTAM" inspect "$1" --all --json -q | head -c 100 >/dev/null; echo "${PIPESTATUS[0]}""#,
      [CommandTests.archive])
    #expect(cut.output == "0\n", "a reader that has enough is no failure: \(cut.output)")
  }
}
