/// A key with its value as they are written into a GGUF file. Source: ggml, `docs/gguf.md`.
public struct GGUFPair: Sendable, Equatable {
  public let key: [UInt8]
  /// Key, type and value as they stand in the file.
  let bytes: [UInt8]

  /// A pair as it stands in another file.
  /// - Parameter bytes: those of ``GGUFHeader/Metadatum/range``.
  public init(key: [UInt8], copying bytes: [UInt8]) {
    self.key = key
    self.bytes = bytes
  }

  private init(_ key: String, _ type: GGUFValueType, _ value: [UInt8]) {
    self.key = Array(key.utf8)
    bytes = Self.text(key.utf8) + Self.little(type.rawValue) + value
  }

  private init(_ key: String, arrayOf type: GGUFValueType, count: Int, _ items: [UInt8]) {
    self.init(key, .array, Self.little(type.rawValue) + Self.little(UInt64(count)) + items)
  }

  public init(_ key: String, uint32 value: UInt32) { self.init(key, .uint32, Self.little(value)) }
  public init(_ key: String, float32 value: Float) { self.init(key, .float32, Self.little(value.bitPattern)) }
  public init(_ key: String, bool value: Bool) { self.init(key, .bool, [value ? 1 : 0]) }
  public init(_ key: String, string value: some Collection<UInt8>) { self.init(key, .string, Self.text(value)) }

  public init(_ key: String, int32s values: [Int32]) {
    self.init(key, arrayOf: .int32, count: values.count, values.flatMap { Self.little($0) })
  }

  public init(_ key: String, strings: [[UInt8]]) {
    var items: [UInt8] = []
    items.reserveCapacity(strings.reduce(0) { $0 + 8 + $1.count })
    for string in strings { items += Self.text(string) }
    self.init(key, arrayOf: .string, count: strings.count, items)
  }

  static func text(_ utf8: some Collection<UInt8>) -> [UInt8] { little(UInt64(utf8.count)) + utf8 }

  static func little(_ value: some FixedWidthInteger) -> [UInt8] {
    withUnsafeBytes(of: value.littleEndian) { Array($0) }
  }
}
