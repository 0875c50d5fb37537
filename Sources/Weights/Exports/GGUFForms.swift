import Encodings
import GGUF
import ModelSources
import Tensors

/// Decides how each tensor is written into a GGUF file, and tells where that is not as it is stored.
struct GGUFForms {
  let source: ModelSource
  /// The type that all matrices get; nil keeps what GGUF can hold.
  let dtype: DType?
  /// Reasons for another form, each with the tensors that it holds for.
  private var changed: [(reason: String, first: String, count: Int)] = []

  init(source: ModelSource, dtype: DType?) {
    self.source = source
    self.dtype = dtype
  }

  var notes: [String] {
    changed.map { change in
      change.count == 1
        ? "'\(change.first)' \(change.reason)"
        : "\(change.count) tensors, first '\(change.first)': each \(change.reason)"
    }
  }

  /// - Parameters:
  ///   - number: index into ``ModelSource/tensors``.
  ///   - name: in the output.
  /// - Throws: ``ExportError/notReal(path:format:tensor:dtype:)``, or what ``ModelSource/checkReadable(_:)`` throws.
  mutating func form(_ number: Int, name: String) throws -> (type: GGMLType, form: TensorForm) {
    try source.checkReadable(number)
    let info = source.tensors[number].info
    guard info.dtype.isReal, !source.tensors[number].isPart else {
      throw ExportError.notReal(
        path: source.path, format: "GGUF", tensor: TensorName(name), dtype: info.dtype.name)
    }
    // What is added to or multiplied with activations: ggml wants it in f32.
    guard info.shape.count > 1 else { return (.f32, .values(.f32)) }
    if let dtype { return Self.values(dtype) }
    if source.isQuantized(number) { return quantized(number, info, name) }
    if info.dtype.isCastable { return Self.values(info.dtype) }
    let target: DType = info.dtype == .f64 ? .f32 : .f16
    note("becomes \(target.name): GGUF's readers take no \(info.dtype.name) there", name)
    return Self.values(target)
  }

  private mutating func quantized(
    _ number: Int, _ info: TensorInfo, _ name: String
  ) -> (type: GGMLType, form: TensorForm) {
    let columns = info.shape[info.shape.count - 1]
    let reason: String
    if let stored = source.encoded(number) {
      if let groups = stored.encoding as? GroupEncoding {
        if let blocks = GroupBlocks(groups, stored.shape, columns: columns) {
          return (blocks.type, .blocks(stored, blocks))
        }
        reason =
          stored.shape.order == .source
          ? "its rows of \(columns) columns are no whole blocks" : "its groups lie tap after tap"
      } else if let ggml = stored.encoding as? GGMLEncoding {
        if columns.isMultiple(of: ggml.type.blockElementCount), stored.planes.count == 1 {
          return (ggml.type, .stored(stored))
        }
        reason = "its rows of \(columns) columns are no whole blocks"
      } else {
        reason = "ggml has no blocks for it"
      }
    } else {
      reason = "ggml has no blocks for it"
    }
    note("is stored as \(source.tensors[number].encoding) and becomes F16: \(reason)", name)
    return Self.values(.f16)
  }

  private static func values(_ dtype: DType) -> (type: GGMLType, form: TensorForm) {
    (dtype == .f32 ? .f32 : dtype == .bf16 ? .bf16 : .f16, .values(dtype))
  }

  private mutating func note(_ reason: String, _ name: String) {
    if let place = changed.firstIndex(where: { $0.reason == reason }) {
      changed[place].count += 1
    } else {
      changed.append((reason, name, 1))
    }
  }
}
