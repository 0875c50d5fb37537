import BantamArchive
import Checkpoints
import Encodings
import Kernels
import Tensors

/// A source's tensors as memory, each where it lies and as it is stored: nothing is copied that need not be.
public final class SourceMapping: Sendable {
  public struct Tensor: Sendable {
    public let info: TensorInfo
    /// Its bytes are valid as long as `owner` lives.
    public let matrix: EncodedMatrix
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
    case .checkpoint(let checkpoint): try tensor(number, of: checkpoint)
    case .archive(let archive): try tensor(number, of: archive)
    }
  }

  private func tensor(_ number: Int, of checkpoint: Checkpoint) throws -> Tensor {
    let entry = checkpoint.entries[number]
    guard let file = checkpoint.files[entry.fileIndex].source as? ReadableFile else { return try copy(number) }
    let (encoding, shape): (any Encoding, EncodedShape)
    switch entry.content {
    case .plain: (encoding, shape) = (PlainEncoding(), EncodedShape(entry.info.matrix, dtype: entry.info.dtype))
    case .decoded(let stored as EncodedTensor) where Self.canRun(stored):
      (encoding, shape) = (stored.encoding, stored.shape)
    default: return try copy(number)
    }
    let mapping = try file.mapped()
    let bytes = mapping.bytes(at: entry.offset, count: entry.storedByteCount)
    guard Self.isAligned(bytes, encoding, shape) else { return try copy(number) }
    return Tensor(
      info: entry.info, matrix: EncodedMatrix(encoding, shape, planes: [bytes]), owner: mapping,
      check: {
        if mapping.isTorn {
          throw FileError.shrank(path: mapping.path, offset: entry.offset, expectedByteCount: mapping.byteCount)
        }
      }, isTorn: { mapping.isTorn })
  }

  private func tensor(_ number: Int, of archive: Archive) throws -> Tensor {
    let stored = try archive.readable(number)
    let owner = archive.owner(of: number)
    let mapping = try archive.file.mapped()
    let planes = owner.planes.map { mapping.bytes(at: $0.offset, count: $0.byteCount) }
    guard Self.canRun(stored), planes.allSatisfy({ Self.isAligned($0, stored.encoding, stored.shape) }) else {
      return try copy(number)
    }
    return Tensor(
      info: stored.info, matrix: EncodedMatrix(stored.encoding, stored.shape, planes: planes), owner: mapping,
      check: {
        for plane in owner.planes { _ = try archive.bytes(of: plane, named: owner.info.name, in: mapping) }
      }, isTorn: { mapping.isTorn })
  }

  /// For what does not lie in memory as it is computed with: bytes at odd places, other layouts.
  private func copy(_ number: Int) throws -> Tensor {
    try source.checkReadable(number)
    let info = source.tensors[number].info
    let buffer = try AlignedBuffer(byteCount: info.byteCount)
    try source.read(number, at: 0, into: buffer.bytes)
    let shape = EncodedShape(info.matrix, dtype: info.dtype)
    return Tensor(
      info: info, matrix: EncodedMatrix(PlainEncoding(), shape, planes: [UnsafeRawBufferPointer(buffer.bytes)]),
      owner: buffer, check: {}, isTorn: { false })
  }

  /// Whether products can read it as it lies. Kernels of convolutions are cut where no wide block may be; tap after tap lie those that
  /// are written so, and others, such as patches that are multiplied as one row, are copied.
  private static func canRun(_ tensor: EncodedTensor) -> Bool {
    let shape = tensor.shape
    return tensor.isReadyToRun && (shape.matrix.taps == 1 || tensor.encoding.grain.columns <= 32)
      && (shape.order == .source || shape == tensor.encoding.shape(forWriting: tensor.info))
  }

  /// Elements are read as what they are; codes byte by byte.
  private static func isAligned(_ bytes: UnsafeRawBufferPointer, _ encoding: any Encoding, _ shape: EncodedShape)
    -> Bool
  {
    encoding.isLossy || Int(bitPattern: bytes.baseAddress) % max(1, shape.dtype.bitWidth / 8) == 0
  }
}
