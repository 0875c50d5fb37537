import Tensors

/// Why the parts of a tensor that another program has quantized do not make up a tensor.
public enum QuantizedError: Error, Sendable, Equatable {
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

  /// The report for the folder or file at `path`.
  public func report(at path: String) -> ErrorReport {
    let place = printable(path)
    switch self {
    case .badPart(let part, let expected):
      return ErrorReport(
        .badData, at: place, "'\(part)' does not fit the quantized tensor that it belongs to", expected: expected)
    case .partMissing(let tensor, let part):
      return ErrorReport(.badData, at: place, "quantized tensor '\(tensor)' lacks its part '\(part)'")
    case .describedTwice(let tensor):
      return ErrorReport(.badData, at: place, "quantized tensor '\(tensor)' is described twice", expected: "once")
    case .unknownBits(let tensor):
      return ErrorReport(
        .badData, at: place, "the bits of quantized tensor '\(tensor)' cannot be told from its shapes and config.json")
    case .unknownBlocks(let tensor):
      return ErrorReport(
        .badData, at: place, "quantized tensor '\(tensor)' has scales over blocks of unknown size",
        expected: "a 'block_structure' in config.json")
    case .badState(let part, let rule): return ErrorReport(.badData, at: place, "'\(part)' \(rule)")
    }
  }
}
