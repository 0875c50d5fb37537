/// Bytes that can be read at any offset, from any thread: a file, or what a compressed file unpacks to.
public protocol ByteSource: AnyObject, Sendable {
  /// The file as the user named it.
  var path: String { get }
  var byteCount: Int { get }

  /// Fills `buffer` with the bytes from `offset` on.
  func read(at offset: Int, into buffer: UnsafeMutableRawBufferPointer) throws(FileError)
  /// Tells that a range will be read soon.
  func willNeed(offset: Int, count: Int)
  /// Tells that a range will not be read again.
  func doneWith(offset: Int, count: Int)
  /// Checks, at the end of the work, that what was read is still what is there.
  /// - Throws: ``FileError/changed(path:what:)``.
  func checkUnchanged() throws(FileError)
}

extension ByteSource {
  /// The bytes `[offset, offset + count)`, which must lie within the source.
  public func bytes(at offset: Int, count: Int) throws(FileError) -> [UInt8] {
    guard count > 0 else { return [] }
    if count <= 1 << 16 {
      var bytes = [UInt8](repeating: 0, count: count)
      var failure: FileError?
      bytes.withUnsafeMutableBytes { buffer in
        do throws(FileError) { try read(at: offset, into: buffer) } catch { failure = error }
      }
      if let failure { throw failure }
      return bytes
    }
    // Memory that the system may refuse without ending the program.
    let buffer = try AlignedBuffer(byteCount: count)
    try read(at: offset, into: buffer.bytes)
    return [UInt8](UnsafeRawBufferPointer(buffer.bytes))
  }

  /// The whole content of what may be held in memory.
  public func contents(limit: Int = Limits.companionByteCount) throws(FileError) -> [UInt8] {
    guard byteCount <= limit else { throw .tooLarge(path: path, byteCount: byteCount, limit: limit) }
    return try bytes(at: 0, count: byteCount)
  }
}
