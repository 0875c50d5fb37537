/// Bounds on what a file may ask for. Each is tested at the limit and one past it.
public enum Limits {
  /// Bytes of a safetensors header, as in the reference reader.
  public static let safetensorsHeaderByteCount = 100_000_000
  /// Bytes of an index, config or tokenizer file.
  public static let configByteCount = 64 << 20
  /// Nesting of JSON values.
  public static let jsonDepth = 64
  /// Dimensions of a tensor.
  public static let rank = 64
  /// Bytes of a tensor's name.
  public static let nameByteCount = 65_535
  /// Tensors in one source.
  public static let tensorCount = 10_000_000
  /// Bytes that all tensors of one `.bantam` file may claim together, whatever their encoding.
  public static let claimedByteCount = 1 << 56
  /// Bytes of the index of a `.bantam` file.
  public static let archiveIndexByteCount = 1 << 30
}
