/// The encodings of `.bantam` files, by name.
public enum KnownEncodings {
  public static let all: [any Encoding] = [.plain, .int8, .int4, .even8, .book6, .book5, .book4Fine, .book4, .book3]

  /// Those that values can be quantized to.
  public static var quantizing: [any Encoding] { all.filter { $0.solver != nil } }

  /// As files name it; nil for one that is not known, or whose parameters are others. A file's books are its own.
  public static func named(_ name: String, parameters: String) -> (any Encoding)? {
    all.first { $0.name == name && $0.parameters == parameters }
      ?? BookEncoding(name: name, parameters: parameters)
  }
}
