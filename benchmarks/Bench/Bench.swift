// Measurements inside one process. Usage: bantam-bench open FILE
import Archive
import Dispatch
import Glibc
import Tensors

/// Milliseconds of each of `count` calls, sorted.
func milliseconds(_ count: Int, _ body: () throws -> Void) rethrows -> [Double] {
  try (0..<count).map { _ in
    let start = DispatchTime.now().uptimeNanoseconds
    try body()
    return Double(DispatchTime.now().uptimeNanoseconds - start) / 1e6
  }.sorted()
}

/// Opens a native file again and again: map, read the index, check it.
func benchmarkOpen(_ path: String) throws {
  var tensorCount = 0
  let times = try milliseconds(21) { tensorCount = try Archive(path: path).index.tensors.count }
  print("open  \(tensorCount) tensors  median \(times[10]) ms  min \(times[0]) ms  max \(times[20]) ms")
}

@main
enum Bench {
  static func main() throws {
    let arguments = CommandLine.arguments.dropFirst()
    switch (arguments.first, arguments.count) {
    case ("open", 2): try benchmarkOpen(arguments.last!)
    default:
      print("usage: bantam-bench open FILE")
      exit(64)
    }
  }
}
