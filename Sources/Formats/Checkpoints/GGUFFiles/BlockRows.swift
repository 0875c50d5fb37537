import GGUF

/// Rows of blocks: each block a number of elements in a number of bytes, each row a number of blocks.
public struct BlockRows: Sendable, Equatable {
  /// As llama.cpp calls it.
  public let type: String
  public let elementsPerBlock: Int
  public let bytesPerBlock: Int
  public let rows: Int
  public let blocksPerRow: Int

  public var bytesPerRow: Int { blocksPerRow * bytesPerBlock }

  /// The rows of the file, which are those of the tensor save where it was flattened for its blocks.
  init(_ tensor: GGUFHeader.Tensor) {
    type = tensor.type.name
    elementsPerBlock = tensor.type.blockElementCount
    bytesPerBlock = tensor.type.blockByteCount
    let isEmpty = tensor.shape.contains(0)
    rows = isEmpty ? 0 : tensor.shape.dropLast().reduce(1, *)
    blocksPerRow = isEmpty ? 0 : (tensor.shape.last ?? 1) / tensor.type.blockElementCount
  }
}
