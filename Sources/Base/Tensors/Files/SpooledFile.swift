import Glibc
import Synchronization

/// Unpacks a compressed stream, piece by piece.
public protocol StreamDecoder: AnyObject, Sendable {
  /// Fills as much of `buffer` as the stream still gives; 0 at its end, with all checks made.
  func decode(into buffer: UnsafeMutableRawBufferPointer) throws(FileError) -> Int
}

/// A temporary file without a name, made when something is written to it, which goes with this object. The folder is
/// `TMPDIR`, else `/var/tmp`.
public final class TemporarySpace: Sendable {
  private let state = Mutex<(descriptor: Int32?, used: Int)>((nil, 0))

  public init() {}

  deinit { state.withLock { if let descriptor = $0.descriptor { close(descriptor) } } }

  func descriptor() throws(FileError) -> Int32 {
    try state.withLock { (state) throws(FileError) in
      if let descriptor = state.descriptor { return descriptor }
      // mkstemp puts letters of its own in place of the last six.
      let pattern = "bantam." + String(repeating: "X", count: 6)
      var name = Array(Folder.join(folder, pattern).utf8CString)
      let descriptor = mkstemp(&name)
      guard descriptor >= 0 else {
        throw .cannotCreate(path: folder, code: errno, reason: "no temporary file can be made to unpack into")
      }
      unlink(name)
      _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
      state.descriptor = descriptor
      return descriptor
    }
  }

  /// Where `byteCount` bytes may go. Nothing is taken of the disk before they are written.
  /// - Throws: ``FileError/unpacksTooFar(path:packed:unpacked:)`` where all together are more than the packed file, of
  ///   `packedByteCount` bytes, can sensibly hold.
  func reserve(_ byteCount: Int, packedByteCount: Int, path: String) throws(FileError) -> Int {
    try state.withLock { (state) throws(FileError) in
      let (gained, overflow) = packedByteCount.multipliedReportingOverflow(by: Limits.unpackedRatio)
      let limit = overflow ? Limits.claimedByteCount : max(Limits.unpackedFreeByteCount, gained)
      guard byteCount <= limit - state.used else {
        throw .unpacksTooFar(path: path, packed: packedByteCount, unpacked: byteCount)
      }
      defer { state.used += byteCount }
      return state.used
    }
  }

  /// - Throws: ``FileError/noRoom(path:needed:free:)`` where the disk has less room.
  func require(_ byteCount: Int) throws(FileError) { try DiskSpace.require(byteCount, in: folder, for: folder) }

  private var folder: String { getenv("TMPDIR").map { String(cString: $0) } ?? "/var/tmp" }
}

/// A compressed stream that can be read at any offset.
///
/// It is unpacked only as far as it is read, once, into a temporary file: memory stays small, whatever the size and the
/// order of reads. Before the first read it takes neither memory nor a file.
public final class SpooledFile: ByteSource {
  public var path: String { packed.path }
  public let byteCount: Int
  private let packed: any ByteSource

  private struct State: ~Copyable {
    /// Nil before the first read, and when all is unpacked.
    var work: (decoder: any StreamDecoder, buffer: AlignedBuffer)?
    var filled = 0
    var isDone = false
    /// What went wrong before: the decoder is then no longer where the file is.
    var failure: FileError?
  }
  private let state = Mutex(State())
  private let makeDecoder: @Sendable () throws(FileError) -> any StreamDecoder
  private let space: TemporarySpace
  private let start: Int

  /// - Parameters:
  ///   - packed: the file that holds the stream.
  ///   - byteCount: size of what the stream unpacks to; another one is an error when it shows.
  ///   - space: where it is unpacked to; several streams of one file share one.
  ///   - decoder: makes what unpacks it, from its beginning.
  /// - Throws: ``FileError/unpacksTooFar(path:packed:unpacked:)``.
  public init(
    _ packed: any ByteSource, byteCount: Int, in space: TemporarySpace,
    decoder: @escaping @Sendable () throws(FileError) -> any StreamDecoder
  ) throws(FileError) {
    self.packed = packed
    self.byteCount = byteCount
    self.space = space
    start = try space.reserve(byteCount, packedByteCount: packed.byteCount, path: packed.path)
    makeDecoder = decoder
  }

  public func read(at offset: Int, into buffer: UnsafeMutableRawBufferPointer) throws(FileError) {
    precondition(offset >= 0 && offset + buffer.count <= byteCount, "range outside the unpacked file")
    let end = offset + buffer.count
    try state.withLock { (state) throws(FileError) in
      if let failure = state.failure { throw failure }
      do throws(FileError) { try unpack(to: end, &state) } catch {
        state.failure = error
        throw error
      }
    }
    let descriptor = try space.descriptor()
    var done = 0
    while done < buffer.count {
      let count = pread(
        descriptor, buffer.baseAddress! + done, buffer.count - done, off_t(start + offset + done))
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { throw .readFailed(path: path, offset: offset + done, code: count < 0 ? errno : EIO) }
      done += count
    }
  }

  /// Unpacks up to an offset; up to the end of all, the stream's own end is reached and checked.
  private func unpack(to end: Int, _ state: inout State) throws(FileError) {
    while !state.isDone, state.filled < end || end == byteCount {
      if state.work == nil {
        try space.require(byteCount)
        state.work = (try makeDecoder(), try AlignedBuffer(byteCount: 256 << 10))
      }
      guard let (decoder, buffer) = state.work else { return }
      let count = try decoder.decode(into: buffer.bytes)
      if count == 0 {
        guard state.filled == byteCount else {
          throw .damaged(path: path, problem: "unpacks to \(state.filled) bytes, not the \(byteCount) that it states")
        }
        (state.isDone, state.work) = (true, nil)
        return
      }
      guard count <= byteCount - state.filled else {
        throw .damaged(path: path, problem: "unpacks to more than the \(byteCount) bytes that it states")
      }
      try write(UnsafeRawBufferPointer(rebasing: buffer.bytes[..<count]), at: start + state.filled)
      state.filled += count
    }
  }

  private func write(_ bytes: UnsafeRawBufferPointer, at offset: Int) throws(FileError) {
    let descriptor = try space.descriptor()
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
  public func checkUnchanged() throws(FileError) { try packed.checkUnchanged() }
}
