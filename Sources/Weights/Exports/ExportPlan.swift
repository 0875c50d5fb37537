import Encodings
import GGUF
import ModelSources
import Tensors

/// An export that is worked out but not begun: every file with its exact size, every tensor with its type and place.
public struct ExportPlan: Sendable {
  public struct Tensor: Sendable {
    /// In the output.
    public let name: TensorName
    /// As the format names it: `BF16`, `Q4_0`.
    public let type: String
    public let shape: [Int]
    public let byteCount: Int
    /// From the start of its file.
    public let offset: Int
    /// Index into ``ModelSource/tensors``.
    public let number: Int
    let form: TensorForm
  }

  public struct File: Sendable {
    enum Content: Sendable {
      case bytes([UInt8])
      /// A file beside the source's weights, read when it is written.
      case companion
      /// Tensors behind a header; bytes that belong to none are zeros.
      case tensors(header: [UInt8])
    }

    /// Path below the output folder; empty where the output is one file.
    public let path: String
    public let byteCount: Int
    public let tensors: [Tensor]
    let content: Content

    init(path: String, bytes: [UInt8]) {
      self.init(path: path, byteCount: bytes.count, tensors: [], content: .bytes(bytes))
    }

    init(companion path: String, byteCount: Int) {
      self.init(path: path, byteCount: byteCount, tensors: [], content: .companion)
    }

    init(path: String, header: [UInt8], tensors: [Tensor], byteCount: Int) {
      self.init(path: path, byteCount: byteCount, tensors: tensors, content: .tensors(header: header))
    }

    private init(path: String, byteCount: Int, tensors: [Tensor], content: Content) {
      self.path = path
      self.byteCount = byteCount
      self.tensors = tensors
      self.content = content
    }
  }

  public let source: ModelSource
  public let map: ModelMap
  /// Name of the format.
  public let format: String
  public let isOneFile: Bool
  /// In the order in which they are written.
  public let files: [File]
  /// What the user should know before the work.
  public let notes: [String]

  /// The tensors of all files.
  public var tensors: [Tensor] { files.flatMap(\.tensors) }
  /// Exact size of the output: all of its files together.
  public var outputByteCount: Int { files.reduce(0) { $0 + $1.byteCount } }
  /// Bytes of tensors that are read, as progress counts them.
  public var inputByteCount: Int { tensors.reduce(0) { $0 + $1.form.inputByteCount(source.tensors[$1.number].info) } }
}

/// How the bytes of a tensor in the output come about.
enum TensorForm: Sendable {
  /// Plain values, cast where the source has another type.
  case values(DType)
  /// The bytes of the one plane in which the source stores it.
  case stored(EncodedTensor)
  /// Codes and scales of groups, in the order of blocks.
  case blocks(EncodedTensor, GroupBlocks)

  func inputByteCount(_ info: TensorInfo) -> Int {
    switch self {
    case .values: info.byteCount
    case .stored(let tensor), .blocks(let tensor, _): tensor.storedByteCount
    }
  }
}
