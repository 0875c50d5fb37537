import Tensors

/// Why the parts of a tensor that another program has quantized do not make up a tensor.
public enum QuantizedError: PlacelessError, Equatable {
  /// A part has a shape or dtype that does not fit the others.
  case badPart(part: TensorName, expected: String)
  case partMissing(tensor: TensorName, part: String)
  /// Parts of two layouts, or a part that belongs to two tensors.
  case describedTwice(tensor: TensorName)
  /// The bits of a code cannot be told from the shapes and config.json.
  case unknownBits(tensor: TensorName)
  /// Scales over blocks of a size that config.json does not say.
  case unknownBlocks(tensor: TensorName)
  case badState(part: TensorName, rule: String)
  /// The parts are those of a known program, in a form of it that is not decoded.
  case otherForm(tensor: TensorName, rule: String)

  /// What is wrong, in words.
  var explanation: String {
    switch self {
    case .badPart(let part, let expected): "'\(part)' does not fit: \(expected) is expected"
    case .partMissing(_, let part): "'\(part)' is missing"
    case .describedTwice: "it is described twice"
    case .unknownBits: "its bits cannot be told from its shapes and config.json"
    case .unknownBlocks: "config.json does not say the size of its blocks"
    case .badState(let part, let rule): "'\(part)' \(rule)"
    case .otherForm(let tensor, let rule): "'\(tensor)' \(rule)"
    }
  }

  public func report(at place: String) -> ErrorReport { ErrorReport(.badData, at: place, explanation) }
}
