import CUTF8Proc
import Glibc

/// Normal form C, as the tokenizers library computes it, by utf8proc.
enum Normalization {
  /// Composes a text.
  ///
  /// The library's tables are those of Unicode 9: marks that came later have no order there and keep their place. And
  /// utf8proc loses U+11A7 behind a syllable, which is no final consonant. Neither composes with anything, so the text is cut at
  /// such scalars and the parts are composed one by one.
  static func composed(_ text: String) -> String {
    var result: [UInt8] = []
    var part: [UInt8] = []
    for scalar in text.unicodeScalars {
      let utf8 = UTF8.encode(scalar)!
      guard isInert(scalar) else {
        part += utf8
        continue
      }
      result += composed(part)
      part.removeAll()
      result += utf8
    }
    return String(decoding: result + composed(part), as: UTF8.self)
  }

  /// Whether a scalar stays as and where it is, whatever stands beside it.
  private static func isInert(_ scalar: Unicode.Scalar) -> Bool {
    scalar.value >= 0x300
      && (scalar.value == 0x11A7 || scalar.properties.age.map { $0.major > 9 } ?? false)
  }

  private static func composed(_ utf8: [UInt8]) -> [UInt8] {
    guard !utf8.isEmpty else { return [] }
    var output: UnsafeMutablePointer<UInt8>?
    let options = utf8proc_option_t(UTF8PROC_STABLE.rawValue | UTF8PROC_COMPOSE.rawValue)
    let count = utf8proc_map(utf8, utf8.count, &output, options)
    defer { free(output) }
    // It fails only for bytes that are not UTF-8, which a String has none of, and when memory is gone.
    guard count >= 0, let output else { return utf8 }
    return Array(UnsafeBufferPointer(start: output, count: count))
  }
}
