import Foundation
import Testing
import TestSupport

/// A machine that gives little: the work is slower, or ends with 71 and the reason. It never hangs and never loses a file.
@Suite struct LimitTests {
  private static let quick = ["--steps", "1", "--decoder-steps", "1", "--size", "64"]

  private static let works: [[String]] = [
    ["inspect", "MODEL"], ["verify", "MODEL", "-q"], ["convert", "FOLDER", "-o", "OUT", "-q"],
    ["quantize", "FOLDER", "-o", "OUT", "--encoding", "int4", "-q"],
    ["export", "MODEL", "--to", "safetensors", "-o", "OUT", "-q"], ["sample", "OUT", "-q"],
    ["generate", "MODEL", "a", "-o", "OUT.png", "-q"] + quick, ["diff", "FOLDER", "MODEL", "-q"],
    ["chat", "MODEL", "a", "--max-tokens", "2", "-q"],
    ["diff", "MODEL", "MODEL", "--prompt", "a", "-q"] + quick, ["profile", "MODEL", "--prompt", "a", "-q"] + quick,
  ]

  private func check(_ limit: String, _ work: [String]) throws {
    let folder = TemporaryFolder()
    // Whoever runs the tests, the program runs as one who owns what it needs.
    try FileManager.default.setAttributes([.posixPermissions: 0o777], ofItemAtPath: folder.path)
    let arguments = work.map {
      $0.replacing("MODEL", with: CommandTests.archive).replacing("FOLDER", with: CommandTests.tiny).replacing(
        "OUT", with: folder["out"])
    }
    let done = try Command(script: limit, arguments)
    #expect(done.status == 0 || done.status == 71, "\(work): \(done.status) \(done.errors)")
    if done.status == 71 { #expect(done.errors.contains("bantam: error: "), "\(work): \(done.errors)") }
    // Whole, or not there.
    #expect(!folder.names.contains { $0.hasSuffix(".partial") }, "\(folder.names)")
    if done.status != 0 { #expect(folder.names.isEmpty) }
  }

  @Test(arguments: works.indices, [1, 2]) func fewProcesses(index: Int, count: Int) throws {
    // Another user, so that the processes of this one do not count. Without the right to that, nothing can be shown.
    let user = getuid() == 0 ? "setpriv --reuid \(61_000 + 20 * count + index) --clear-groups " : ""
    let limit = #"exec \#(user)prlimit --nproc=\#(count) "$BANTAM" "$@""#
    if getuid() == 0 { try check(limit, Self.works[index]) }
  }

  @Test(arguments: works.indices) func sixteenDescriptors(index: Int) throws {
    try check(#"ulimit -n 16; exec "$BANTAM" "$@""#, Self.works[index])
  }

  /// 150 MB beyond what the program takes to say its version.
  @Test(arguments: works.indices) func littleAddressSpace(index: Int) throws {
    let limit = """
      need() { (ulimit -v $1; "$BANTAM" --version >/dev/null 2>&1); }
      low=1000; high=4000000
      while [ $((high - low)) -gt 2000 ]; do
        middle=$(((low + high) / 2)); if need $middle; then high=$middle; else low=$middle; fi
      done
      ulimit -v $((high + 150000)); exec "$BANTAM" "$@"
      """
    try check(limit, Self.works[index])
  }
}
