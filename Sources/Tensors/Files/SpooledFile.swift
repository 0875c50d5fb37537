import Glibc
import Synchronization

/// Unpacks a compressed stream, piece by piece.
public protocol StreamDecoder: AnyObject, Sendable {
  /// Fills as much of `buffer` as the stream still gives; 0 at its end, with all checks made.
  func decode(into buffer: UnsafeMutableRawBufferPointer) throws(FileError) -> Int
}

/// A compressed stream that can be read at any offset.
///
/// It is unpacked only as far as it is read, once, into a temporary file without a name that goes with this object:
/// memory stays small, whatever the size and the order of reads. The folder is `TMPDIR`, else `/var/tmp`.
public final class SpooledFile: ByteSource {
  public let path: String
  public let byteCount: Int
  public let identity: FileIdentity

  private struct State: ~Copyable {
    var decoder: any StreamDecoder
    var filled = 0
    let buffer: AlignedBuffer
  }
  private let state: Mutex<State>
  private let descriptor: Int32

  /// - Parameters:
  ///   - path: what the user named.
  ///   - byteCount: size of what the stream unpacks to; another one is an error when it shows.
  public init(
    path: String, identity: FileIdentity, byteCount: Int, decoder: any StreamDecoder
  ) throws(FileError) {
    let buffer = try AlignedBuffer(byteCount: 1 << 20)
    let folder = getenv("TMPDIR").map { String(cString: $0) } ?? "/var/tmp"
    var name = Array(Folder.join(folder, "bantam.XXXXXX").utf8CString)
    descriptor = mkstemp(&name)
    guard descriptor >= 0 else {
      throw .cannotCreate(path: folder, code: errno, reason: "no temporary file can be made to unpack into")
    }
    unlink(name)
    _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
    self.path = path
    self.identity = identity
    self.byteCount = byteCount
    state = Mutex(State(decoder: decoder, buffer: buffer))
  }

  deinit { close(descriptor) }

  public func read(at offset: Int, into buffer: UnsafeMutableRawBufferPointer) throws(FileError) {
    precondition(offset >= 0 && offset + buffer.count <= byteCount, "range outside the unpacked file")
    let end = offset + buffer.count
    try state.withLock { (state) throws(FileError) in
      while state.filled < end || (end == byteCount && state.filled == byteCount) {
        let count = try state.decoder.decode(into: state.buffer.bytes)
        if count == 0 {
          guard state.filled >= end else {
            throw .damaged(path: path, problem: "unpacks to \(state.filled) bytes, not the \(byteCount) that it states")
          }
          break
        }
        guard state.filled + count <= byteCount else {
          throw .damaged(path: path, problem: "unpacks to more than the \(byteCount) bytes that it states")
        }
        try write(UnsafeRawBufferPointer(rebasing: state.buffer.bytes[..<count]), at: state.filled)
        state.filled += count
      }
    }
    var done = 0
    while done < buffer.count {
      let count = pread(descriptor, buffer.baseAddress! + done, buffer.count - done, off_t(offset + done))
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { throw .readFailed(path: path, offset: offset + done, code: count < 0 ? errno : EIO) }
      done += count
    }
  }

  private func write(_ bytes: UnsafeRawBufferPointer, at offset: Int) throws(FileError) {
    var done = 0
    while done < bytes.count {
      let count = pwrite(descriptor, bytes.baseAddress! + done, bytes.count - done, off_t(offset + done))
      if count < 0, errno == EINTR { continue }
      guard count > 0 else {
        throw .writeFailed(path: "the temporary file of \(path)", code: count < 0 ? errno : ENOSPC)
      }
      done += count
    }
  }

  public func willNeed(offset: Int, count: Int) {}
  public func doneWith(offset: Int, count: Int) {}
}
