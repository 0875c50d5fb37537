import CZstd
import Tensors

/// Unpacks zstd frames, one after another. Source: RFC 8878, through libzstd.
final class ZstdDecoder: StreamDecoder, @unchecked Sendable {
  // Unchecked: one reader at a time, by the lock of its owner.
  private let file: ReadableFile
  private let context: OpaquePointer
  private let input: AlignedBuffer
  private var available = ZSTD_inBuffer(src: nil, size: 0, pos: 0)
  private var position = 0
  /// 0 between frames.
  private var frameState = 0

  init(_ file: ReadableFile) throws(FileError) {
    self.file = file
    input = try AlignedBuffer(byteCount: 256 << 10)
    guard let context = ZSTD_createDCtx() else { throw .outOfMemory(byteCount: 1 << 20) }
    self.context = context
  }

  deinit { ZSTD_freeDCtx(context) }

  func decode(into buffer: UnsafeMutableRawBufferPointer) throws(FileError) -> Int {
    var output = ZSTD_outBuffer(dst: buffer.baseAddress, size: buffer.count, pos: 0)
    while output.pos < output.size {
      if available.pos == available.size {
        let part = UnsafeMutableRawBufferPointer(
          rebasing: input.bytes[..<min(input.bytes.count, file.byteCount - position)])
        if part.isEmpty { break }
        try file.read(at: position, into: part)
        position += part.count
        available = ZSTD_inBuffer(src: part.baseAddress, size: part.count, pos: 0)
      }
      let before = (available.pos, output.pos)
      frameState = ZSTD_decompressStream(context, &output, &available)
      if ZSTD_isError(frameState) != 0 {
        throw .damaged(
          path: file.path, problem: "cannot be unpacked: \(String(cString: ZSTD_getErrorName(frameState)))")
      }
      if before == (available.pos, output.pos) { break }
    }
    if output.pos == 0, frameState != 0 { throw .damaged(path: file.path, problem: "ends within a zstd frame") }
    return output.pos
  }

  /// A whole safetensors file in zstd as the bytes that it unpacks to.
  static func unpacked(_ file: ReadableFile) throws(SafetensorsError) -> SpooledFile {
    do {
      let byteCount = try statedByteCount(file) ?? safetensorsByteCount(file)
      return try SpooledFile(file, byteCount: byteCount, in: TemporarySpace()) {
        () throws(FileError) in try ZstdDecoder(file)
      }
    } catch let error as FileError { throw .file(error) } catch let error as SafetensorsError { throw error } catch {
      throw .headerEmpty
    }
  }

  /// The size of a safetensors file by its own header, for frames that were written from a pipe and state none. Whether it
  /// is right shows when the end is reached.
  private static func safetensorsByteCount(_ file: ReadableFile) throws -> Int {
    let decoder = try ZstdDecoder(file)
    func bytes(_ count: Int) throws -> [UInt8] {
      let buffer = try AlignedBuffer(byteCount: count)
      var done = 0
      while done < count {
        let got = try decoder.decode(into: UnsafeMutableRawBufferPointer(rebasing: buffer.bytes[done...]))
        guard got > 0 else { throw SafetensorsError.headerPastEnd(claimed: count, available: done) }
        done += got
      }
      return [UInt8](UnsafeRawBufferPointer(buffer.bytes))
    }
    let length = try SafetensorsHeader.length(try bytes(8), limit: Limits.packedHeaderByteCount)
    let end = try SafetensorsHeader.claimedDataByteCount(json: try bytes(length))
    let (sum, overflow) = end.addingReportingOverflow(8 + length)
    guard !overflow else { throw SafetensorsError.headerTooLarge(claimed: UInt64(end)) }
    return sum
  }

  /// The size that the frames state, where all do.
  private static func statedByteCount(_ file: ReadableFile) throws(FileError) -> Int? {
    let mapping = try MappedFile(file)
    let bytes = mapping.bytes(at: 0, count: file.byteCount)
    let damaged = FileError.damaged(path: file.path, problem: "is cut or damaged: its zstd frames do not add up")
    var (position, sum) = (0, 0)
    while position < bytes.count {
      let rest = UnsafeRawBufferPointer(rebasing: bytes[position...])
      let frame = ZSTD_findFrameCompressedSize(rest.baseAddress, rest.count)
      // `ZSTD_CONTENTSIZE_UNKNOWN` is 2^64 - 1, `ZSTD_CONTENTSIZE_ERROR` one less.
      let size = ZSTD_getFrameContentSize(rest.baseAddress, rest.count)
      guard !mapping.isTorn else { throw .shrank(path: file.path, offset: 0, expectedByteCount: file.byteCount) }
      guard ZSTD_isError(frame) == 0, frame > 0, size != .max - 1 else { throw damaged }
      if size == .max { return nil }
      let (total, overflow) = sum.addingReportingOverflow(Int(clamping: size))
      guard !overflow else { throw damaged }
      (position, sum) = (position + frame, total)
    }
    return sum
  }
}
