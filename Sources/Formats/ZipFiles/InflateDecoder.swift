import CZlib
import Tensors

/// Unpacks a deflated zip entry and checks its CRC-32 at the end. Source: RFC 1951, through zlib.
final class InflateDecoder: StreamDecoder, @unchecked Sendable {
  // Unchecked: one reader at a time, by the lock of its owner.
  private let file: any ByteSource
  private let name: String
  private let checksum: UInt32
  private let end: Int
  private var position: Int
  private var stream = z_stream()
  private let input: AlignedBuffer
  private var found: UInt = 0
  private var isFinished = false

  init(_ file: any ByteSource, _ entry: ZipArchive.Entry, name: [UInt8]) throws(FileError) {
    self.file = file
    self.name = String(utf8: name)
    checksum = entry.checksum
    position = entry.offset
    end = entry.offset + entry.packedByteCount
    input = try AlignedBuffer(byteCount: 256 << 10)
    // 15 bits of window, negative for data without a zlib header.
    guard inflateInit2_(&stream, -15, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK else {
      throw .outOfMemory(byteCount: 64 << 10)
    }
  }

  deinit { inflateEnd(&stream) }

  func decode(into buffer: UnsafeMutableRawBufferPointer) throws(FileError) -> Int {
    guard !isFinished, !buffer.isEmpty else { return 0 }
    let capacity = min(buffer.count, 1 << 30)
    stream.next_out = buffer.baseAddress?.assumingMemoryBound(to: UInt8.self)
    stream.avail_out = UInt32(capacity)
    while stream.avail_out == UInt32(capacity) {
      if stream.avail_in == 0 {
        let part = UnsafeMutableRawBufferPointer(rebasing: input.bytes[..<min(input.bytes.count, end - position)])
        guard part.count > 0 else { throw damaged("ends too early") }
        try file.read(at: position, into: part)
        position += part.count
        stream.next_in = part.baseAddress?.assumingMemoryBound(to: UInt8.self)
        stream.avail_in = UInt32(part.count)
      }
      let status = inflate(&stream, Z_NO_FLUSH)
      if status == Z_STREAM_END {
        isFinished = true
        break
      }
      guard status == Z_OK else { throw damaged("cannot be unpacked") }
    }
    let count = capacity - Int(stream.avail_out)
    found = crc32_z(found, buffer.baseAddress?.assumingMemoryBound(to: UInt8.self), count)
    if isFinished {
      guard stream.avail_in == 0, position == end else { throw damaged("is followed by bytes that belong to nothing") }
      guard UInt32(truncatingIfNeeded: found) == checksum else { throw damaged("does not have its checksum") }
    }
    return count
  }

  private func damaged(_ problem: String) -> FileError {
    .damaged(path: file.path, problem: "zip entry '\(name)' \(problem)")
  }
}
