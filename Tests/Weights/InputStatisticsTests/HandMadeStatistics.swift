import TestSupport

/// A file of statistics by hand, right or wrong: 40 columns in blocks of 32, all sums 0.
struct HandMadeStatistics {
  typealias Part = (name: String, dtype: String, shape: [Int], data: [UInt8])

  var parts: [Part] = [
    Self.text(#"{"schema":"bantam.statistics.1","given":{"family":"a test"},"counts":{"text":1}}"#),
    Self.part("w/count", "I64", [1], bytes([100])), Self.zeros("w/largest", "F32", [40]),
    Self.zeros("w/squares", "F64", [2, 40]), Self.zeros("w/moments.0", "F64", [2, 528]),
    Self.zeros("w/moments.32", "F64", [2, 36]),
  ]

  var bytesOfFile: [UInt8] { SafetensorsFile.bytes(parts) }

  /// The same with something else, or nothing, in the place of a part.
  func replacing(_ name: String, by other: Part?) -> HandMadeStatistics {
    var made = self
    made.parts = parts.compactMap { part -> Part? in part.name == name ? other : part }
    return made
  }

  static func part(_ name: String, _ dtype: String, _ shape: [Int], _ data: [UInt8]) -> Part {
    (name: name, dtype: dtype, shape: shape, data: data)
  }

  static func zeros(_ name: String, _ dtype: String, _ shape: [Int]) -> Part {
    let width = ["U8": 1, "I8": 1, "F32": 4, "I32": 4][dtype] ?? 8
    return part(name, dtype, shape, [UInt8](repeating: 0, count: shape.reduce(width, *)))
  }

  /// Settings of this text.
  static func text(_ text: String) -> Part { part("settings", "U8", [text.utf8.count], Array(text.utf8)) }
}
