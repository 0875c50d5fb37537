/// The type of a metadata value. Source: ggml, `docs/gguf.md`.
public enum GGUFValueType: UInt32, CaseIterable, Sendable {
  case uint8, int8, uint16, int16, uint32, int32, float32, bool, string, array, uint64, int64, float64

  /// Bytes of a value; nil for strings and arrays, whose size stands in the file.
  var byteCount: Int? {
    switch self {
    case .uint8, .int8, .bool: 1
    case .uint16, .int16: 2
    case .uint32, .int32, .float32: 4
    case .uint64, .int64, .float64: 8
    case .string, .array: nil
    }
  }

  public var name: String { "\(self)" }
}

/// A value of a GGUF file's metadata.
public enum GGUFValue: Sendable, Equatable {
  case unsigned(UInt64)
  case signed(Int64)
  case float(Double)
  case bool(Bool)
  case string([UInt8])
  /// A string that is too long to be held: where it stands.
  case longString(byteCount: Int, offset: Int)
  /// An array stays in the file: the first items, and where it stands.
  case array(type: GGUFValueType, count: Int, first: [GGUFValue], offset: Int)

  /// A whole number from 0 up.
  public var int: Int? {
    switch self {
    case .unsigned(let value): Int(exactly: value)
    case .signed(let value): value >= 0 ? Int(exactly: value) : nil
    default: nil
    }
  }

  public var text: String? {
    if case .string(let bytes) = self { String(decoding: bytes, as: UTF8.self) } else { nil }
  }
}
