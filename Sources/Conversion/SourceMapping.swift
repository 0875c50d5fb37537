import Archive
import Checkpoints
import Kernels
import Quantization
import Tensors

/// A source's tensors as memory, each where it lies: nothing is copied that need not be.
public final class SourceMapping: Sendable {
  /// One tensor's bytes as they are stored.
  public struct Tensor: Sendable {
    public enum Storage: Sendable {
      /// Row-major elements, aligned to their size.
      case plain(DType)
      /// Codes and scales of a group encoding.
      case group(GroupEncoding)
    }

    public let info: TensorInfo
    public let storage: Storage
    /// Elements or codes. Valid as long as `owner` lives.
    public nonisolated(unsafe) let bytes: UnsafeRawBufferPointer
    /// Scales of a group encoding.
    public nonisolated(unsafe) let scales: UnsafeRawBufferPointer
    public let owner: any Sendable
    /// Checks the bytes against their checksums, and that the file still has them. Call it before they are trusted.
    public let check: @Sendable () throws -> Void
    /// Whether a read has met bytes that the file has lost.
    public let isTorn: @Sendable () -> Bool
  }

  private let source: ModelSource

  public init(_ source: ModelSource) { self.source = source }

  /// - Parameter number: index into ``ModelSource/tensors``.
  /// - Throws: ``ArchiveError``, ``CheckpointError`` or ``FileError``.
  public func tensor(_ number: Int) throws -> Tensor {
    switch source.storage {
    case .checkpoint(let checkpoint):
      let entry = checkpoint.entries[number]
      guard case .plain = entry.content, let file = checkpoint.files[entry.fileIndex].source as? ReadableFile else {
        return try copy(number)
      }
      let mapping = try file.mapped()
      let bytes = mapping.bytes(at: entry.offset, count: entry.info.byteCount)
      guard Self.isAligned(bytes, entry.info.dtype) else { return try copy(number) }
      return Tensor(
        info: entry.info, storage: .plain(entry.info.dtype), bytes: bytes, scales: .init(start: nil, count: 0),
        owner: mapping,
        check: {
          if mapping.isTorn {
            throw FileError.shrank(path: mapping.path, offset: entry.offset, expectedByteCount: mapping.byteCount)
          }
        }, isTorn: { mapping.isTorn })
    case .archive(let archive): return try tensor(number, of: archive)
    }
  }

  private func tensor(_ number: Int, of archive: Archive) throws -> Tensor {
    let info = source.tensors[number].info
    let owner = archive.owner(of: number)
    let mapping = try archive.file.mapped()
    let planes = owner.planes
    let check: @Sendable () throws -> Void = {
      for plane in planes { _ = try archive.bytes(of: plane, named: owner.info.name, in: mapping) }
    }
    func bytes(_ plane: Int) -> UnsafeRawBufferPointer {
      mapping.bytes(at: planes[plane].offset, count: planes[plane].byteCount)
    }
    if let reader = try QuantizedReader(archive, number) {
      return Tensor(
        info: info, storage: .group(reader.encoding), bytes: bytes(0), scales: bytes(1), owner: mapping, check: check,
        isTorn: { mapping.isTorn })
    }
    guard archive.encoding(of: number) == .plain, case .rowMajor = archive.index.layouts[planes[0].layout],
      Self.isAligned(bytes(0), info.dtype)
    else { return try copy(number) }
    return Tensor(
      info: info, storage: .plain(info.dtype), bytes: bytes(0), scales: .init(start: nil, count: 0), owner: mapping,
      check: check, isTorn: { mapping.isTorn })
  }

  /// For what does not lie in memory as it is computed with: bytes at odd places, other layouts.
  private func copy(_ number: Int) throws -> Tensor {
    try source.checkReadable(number)
    let info = source.tensors[number].info
    let buffer = try AlignedBuffer(byteCount: info.byteCount)
    try source.read(number, at: 0, into: buffer.bytes)
    return Tensor(
      info: info, storage: .plain(info.dtype), bytes: UnsafeRawBufferPointer(buffer.bytes),
      scales: .init(start: nil, count: 0), owner: buffer, check: {}, isTorn: { false })
  }

  private static func isAligned(_ bytes: UnsafeRawBufferPointer, _ dtype: DType) -> Bool {
    Int(bitPattern: bytes.baseAddress) % max(1, dtype.bitWidth / 8) == 0
  }
}
