import CFuzzer
import Checkpoints
import Glibc
import Tensors

/// A fuzz target: libFuzzer calls ``fuzz(_:)`` with one input after another.
public protocol FuzzTarget {
  static func fuzz(_ bytes: [UInt8])
}

/// What the C function below calls; set once, before libFuzzer starts.
private nonisolated(unsafe) var target: ([UInt8]) -> Void = { _ in }

extension FuzzTarget {
  public static func main() {
    target = fuzz
    var count = CommandLine.argc
    var arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>? = CommandLine.unsafeArgv
    let status = LLVMFuzzerRunDriver(&count, &arguments) { data, count in
      target(Array(UnsafeBufferPointer(start: data, count: count)))
      return 0
    }
    exit(status)
  }
}

/// A file in memory that holds one input after another.
public final class ScratchFile: Sendable {
  public let path: String
  private let descriptor: Int32

  public init() {
    path = "/dev/shm/bantam-fuzz-\(getpid())"
    descriptor = open(path, O_RDWR | O_CREAT | O_TRUNC, 0o600)
    precondition(descriptor >= 0, "no room in /dev/shm")
    atexit { unlink("/dev/shm/bantam-fuzz-\(getpid())") }
  }

  public func fill(_ bytes: [UInt8]) { fill([(0, bytes)], byteCount: bytes.count) }

  /// Pieces of a file with zeros between them.
  public func fill(_ pieces: [(offset: Int, bytes: [UInt8])], byteCount: Int) {
    precondition(ftruncate(descriptor, 0) == 0)
    for piece in pieces {
      let written = piece.bytes.withUnsafeBytes { pwrite(descriptor, $0.baseAddress, $0.count, off_t(piece.offset)) }
      precondition(written == piece.bytes.count)
    }
    precondition(ftruncate(descriptor, off_t(byteCount)) == 0)
  }
}

/// Opens what a file holds and reads the beginning and the end of every tensor, as it is stored and as values.
public func readAll(_ path: String) {
  guard let checkpoint = try? Checkpoint(path: path) else { return }
  for entry in checkpoint.entries.prefix(64) {
    for run in entry.stored {
      var bytes = [UInt8](repeating: 0, count: min(run.byteCount, 4096))
      for offset in [0, run.byteCount - bytes.count] {
        bytes.withUnsafeMutableBytes { _ = try? checkpoint.read(run, at: offset, into: $0) }
      }
    }
    if case .listedOnly = entry.content { continue }
    let width = max(1, entry.info.dtype.bitWidth / 8)
    let count = min(entry.info.byteCount, 4096 / width * width)
    var bytes = [UInt8](repeating: 0, count: count)
    for offset in [0, entry.info.byteCount - count] where offset % width == 0 {
      bytes.withUnsafeMutableBytes { _ = try? checkpoint.read(entry, at: offset, into: $0) }
    }
  }
}
