import Tensors

extension Checkpoint {
  /// One run of bytes of a file that belongs to a tensor: its elements, its blocks, or one of the parts that another program has made
  /// of it.
  public struct StoredRun: Sendable {
    public enum Form: Sendable {
      /// Elements, row after row.
      case plain(DType, shape: [Int])
      /// Elements of a storage that may hold more than this tensor.
      case view(StoredView)
      /// Blocks, row after row.
      case blocks(BlockRows)
      /// Elements of a dtype that must be unpacked first: no byte holds one of them by itself.
      case packed(DType)
    }

    /// The name in the file.
    public let name: TensorName
    /// Index into ``Checkpoint/files``.
    public let fileIndex: Int
    public let offset: Int
    public let byteCount: Int
    public let form: Form

    /// The dtype of the elements as they are stored, or the type of the blocks.
    public var typeName: String {
      switch form {
      case .plain(let dtype, _), .packed(let dtype): dtype.name
      case .view(let view): view.dtype.name
      case .blocks(let blocks): blocks.type
      }
    }
  }

  /// Reads bytes of a run as they are stored.
  /// - Parameters:
  ///   - offset: from the run's first byte.
  ///   - buffer: filled whole; must lie within the run.
  public func read(_ run: StoredRun, at offset: Int, into buffer: UnsafeMutableRawBufferPointer) throws(FileError) {
    precondition(offset >= 0 && offset + buffer.count <= run.byteCount, "range outside the run")
    try files[run.fileIndex].source.read(at: run.offset + offset, into: buffer)
  }
}
