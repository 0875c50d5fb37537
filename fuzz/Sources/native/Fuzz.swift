import BantamArchive
import FuzzSupport
import Kernels
import Tensors

let file = ScratchFile()

@main enum Fuzz: FuzzTarget {
  static func fuzz(_ bytes: [UInt8]) {
    // As it comes, which ends at the first checksum, and with checksums made good, which goes on to the rules behind them.
    file.fill(bytes)
    _ = try? Archive(path: file.path)
    guard let parts = NativeParts(bytes) else { return }
    file.fill(parts.pieces, byteCount: parts.fileByteCount)
    guard let archive = try? Archive(path: file.path) else { return }
    for (number, tensor) in archive.index.tensors.enumerated().prefix(16) where archive.encoding(of: number) == .plain {
      var bytes = [UInt8](repeating: 0, count: min(tensor.info.byteCount, 4096) / 8 * 8)
      bytes.withUnsafeMutableBytes { _ = try? archive.readable(number).read(at: 0, into: $0) }
    }
    for blob in archive.index.blobs.prefix(4) { _ = try? archive.contents(of: blob) }
  }
}

/// A native file from its compact form: the first 144 bytes of a superblock, an index, the rest as metadata. Padding and
/// payload are zeros; checksums are computed. Source: formats/bantam.md, sections 3 and 4.
struct NativeParts {
  let pieces: [(offset: Int, bytes: [UInt8])]
  let fileByteCount: Int

  init?(_ bytes: [UInt8]) {
    guard bytes.count >= 144 else { return nil }
    var page = Array(bytes[..<144]) + [UInt8](repeating: 0, count: 4096 - 144)
    func size(_ place: Int) -> Int? { number(page, place).flatMap { $0 <= 1 << 20 ? Int($0) : nil } }
    guard let fileByteCount = size(24), let indexOffset = size(32), let indexCount = size(40),
      let metadataOffset = size(80), indexCount <= bytes.count - 144
    else { return nil }
    var index = Array(bytes[144..<144 + indexCount])
    let metadata = Array(bytes[(144 + indexCount)...])
    Self.sealSections(&index)
    page.replaceSubrange(48..<80, with: SHA256.digest(index))
    page.replaceSubrange(96..<128, with: SHA256.digest(metadata))
    put(UInt64(metadata.count), &page, 88)
    put(CRC32C.of(Array(page[..<4092])), &page, 4092)
    pieces = [(0, page), (indexOffset, index), (metadataOffset, metadata)]
    self.fileByteCount = fileByteCount
  }

  /// Gives each section of an index its CRC-32C.
  private static func sealSections(_ index: inout [UInt8]) {
    guard let count = number(index, 8).map({ $0 & 0xFFFF_FFFF }), count < 64 else { return }
    for entry in 0..<Int(count) {
      let place = 16 + 40 * entry
      guard let offset = number(index, place + 8), let records = number(index, place + 16),
        let stride = number(index, place + 24).map({ $0 & 0xFFFF_FFFF }), offset <= UInt64(index.count),
        records < 1 << 20
      else { return }
      let end = offset + records * stride
      guard end <= UInt64(index.count) else { continue }
      put(CRC32C.of(Array(index[Int(offset)..<Int(end)])), &index, place + 28)
    }
  }
}

private func number(_ bytes: [UInt8], _ place: Int) -> UInt64? {
  guard place + 8 <= bytes.count else { return nil }
  return bytes.withUnsafeBytes { UInt64(littleEndian: $0.loadUnaligned(fromByteOffset: place, as: UInt64.self)) }
}

private func put<Number: FixedWidthInteger>(_ value: Number, _ bytes: inout [UInt8], _ place: Int) {
  withUnsafeBytes(of: value.littleEndian) { bytes.replaceSubrange(place..<place + $0.count, with: $0) }
}

extension SHA256 {
  fileprivate static func digest(_ bytes: [UInt8]) -> [UInt8] {
    let hash = SHA256()
    bytes.withUnsafeBytes { hash.update($0) }
    return hash.finish().bytes
  }
}
