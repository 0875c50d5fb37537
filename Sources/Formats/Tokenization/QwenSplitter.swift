/// Qwen2's split rule as its tokenizer.json writes it: a file with another one is not read.
public enum QwenSplitPattern {
  public static let text =
    #"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"#
}

/// Qwen2's split of text into pieces, none of which a merge may cross.
///
/// The rule, from Qwen2's tokenizer.json, alternatives in order:
/// contractions `'s 't 're 've 'm 'll 'd` in any case; letters, with one character before them that is no letter, number
/// or line end; a single number; other characters, with a space before and line ends behind; white space that ends in line
/// ends; white space except its last character before text; white space.
struct QwenSplitter {
  private enum Kind: UInt8 {
    case letter, number, lineEnd, space, other
  }

  /// Ends of the pieces, as counts of scalars from the start.
  static func pieceEnds(_ scalars: [Unicode.Scalar]) -> [Int] {
    let kinds = scalars.map(kind)
    var ends: [Int] = []
    var position = 0
    while position < scalars.count {
      position = pieceEnd(scalars, kinds, from: position)
      ends.append(position)
    }
    return ends
  }

  private static func kind(_ scalar: Unicode.Scalar) -> Kind {
    if scalar.value < 0x80 {
      switch scalar.value {
      case 0x0A, 0x0D: return .lineEnd
      case 0x09, 0x0B, 0x0C, 0x20: return .space
      case 0x30...0x39: return .number
      case 0x41...0x5A, 0x61...0x7A: return .letter
      default: return .other
      }
    }
    let isKnown = scalar.properties.age.map { $0.major <= lastUnicodeVersion } ?? false
    switch scalar.properties.generalCategory {
    case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter:
      return isKnown ? .letter : .other
    case .decimalNumber, .letterNumber, .otherNumber: return isKnown ? .number : .other
    default: return scalar.properties.isWhitespace ? .space : .other
    }
  }

  /// Letters and numbers that came later are no letters and numbers to the tokenizers library.
  private static let lastUnicodeVersion = 16

  private static func pieceEnd(_ scalars: [Unicode.Scalar], _ kinds: [Kind], from start: Int) -> Int {
    if let end = contractionEnd(scalars, from: start) { return end }
    let count = scalars.count
    func run(_ from: Int, _ isIn: (Kind) -> Bool) -> Int {
      var end = from
      while end < count, isIn(kinds[end]) { end += 1 }
      return end
    }
    // Letters, with at most one character before them.
    if kinds[start] == .letter { return run(start) { $0 == .letter } }
    if kinds[start] == .space || kinds[start] == .other, start + 1 < count, kinds[start + 1] == .letter {
      return run(start + 1) { $0 == .letter }
    }
    if kinds[start] == .number { return start + 1 }
    // Other characters, with a plain space before and line ends behind.
    let first = scalars[start] == " " ? start + 1 : start
    let others = run(first) { $0 == .other }
    if others > first { return run(others) { $0 == .lineEnd } }
    // White space: up to its last line end, else all but the last character before text.
    let end = run(start) { $0 == .space || $0 == .lineEnd }
    if let last = (start..<end).last(where: { kinds[$0] == .lineEnd }) { return last + 1 }
    return end < count && end - start > 1 ? end - 1 : end
  }

  private static func contractionEnd(_ scalars: [Unicode.Scalar], from start: Int) -> Int? {
    guard scalars[start] == "'", start + 1 < scalars.count else { return nil }
    // U+017F, the long s, equals s when case is ignored.
    func lower(_ index: Int) -> UInt32 {
      guard index < scalars.count else { return 0 }
      let value = scalars[index].value
      return value == 0x17F ? 0x73 : (0x41...0x5A).contains(value) ? value + 32 : value
    }
    let second = lower(start + 2)
    switch UInt8(truncatingIfNeeded: lower(start + 1) < 0x80 ? lower(start + 1) : 0) {
    case UInt8(ascii: "s"), UInt8(ascii: "t"), UInt8(ascii: "m"), UInt8(ascii: "d"): return start + 2
    case UInt8(ascii: "r") where second == 0x65, UInt8(ascii: "v") where second == 0x65,
      UInt8(ascii: "l") where second == 0x6C:
      return start + 3
    default: return nil
    }
  }
}
