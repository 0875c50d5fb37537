/// The encodings of `.bantam` files, by name.
public enum KnownEncodings {
  public static let all: [any Encoding] = [.plain, .int8, .int4]

  /// Those that values can be quantized to.
  public static var quantizing: [any Encoding] { all.filter { $0.solver != nil } }

  /// As files name it; nil for one that is not known, or whose parameters are others.
  public static func named(_ name: String, parameters: String) -> (any Encoding)? {
    all.first { $0.name == name && $0.parameters == parameters }
  }
}
