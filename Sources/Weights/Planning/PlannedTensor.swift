import Encodings

/// A tensor whose encoding is to be chosen.
public struct PlannedTensor: Sendable {
  /// One way to store it.
  public struct Option: Sendable {
    /// Nil: as it is.
    public let encoding: (any Encoding)?
    public let byteCount: Int
    public let effects: Effects

    public init(encoding: (any Encoding)?, byteCount: Int, effects: Effects) {
      self.encoding = encoding
      self.byteCount = byteCount
      self.effects = effects
    }

    public var encodingName: String { encoding?.shortName ?? "keep" }
  }

  public let name: String
  public let role: String
  public let component: String
  public let elementCount: Int
  /// Fewest bytes first.
  public let options: [Option]
  /// Tensors that repeat this one, byte for byte: they are stored as it is, once.
  public let repeats: [String]

  public init(
    name: String, role: String, component: String, elementCount: Int, options: [Option], repeats: [String] = []
  ) {
    precondition(!options.isEmpty)
    self.repeats = repeats
    self.name = name
    self.role = role
    self.component = component
    self.elementCount = elementCount
    self.options = options.enumerated().sorted {
      ($0.element.byteCount, $0.offset) < ($1.element.byteCount, $1.offset)
    }.map(\.element)
  }
}
