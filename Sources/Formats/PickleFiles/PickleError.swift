import Tensors

/// What ends the reading of a pickle. Offsets count bytes from the start of the pickle.
public enum PickleError: PlacelessError, Equatable {
  case truncated(offset: Int)
  case unknownOpcode(UInt8, offset: Int)
  case unknownProtocol(Int)
  /// An instruction takes more from the stack than there is.
  case stackEmpty(offset: Int)
  case noMark(offset: Int)
  case memoUnset(index: Int, offset: Int)
  case memoTooLarge(index: Int, offset: Int)
  /// A length of 2^63 or more, or a negative one.
  case badLength(offset: Int)
  case badNumber(offset: Int)
  case badText(offset: Int)
  case tooDeep(offset: Int)
  case tooLarge(byteCount: Int)
  case tooManyValues(offset: Int)
  case tooManyInstructions(offset: Int)
  /// An odd number of values where keys and values alternate.
  case oddItems(offset: Int)
  /// Items are put into something that has none, or state into something that keeps none.
  case notAContainer(offset: Int)
  case globalNotText(offset: Int)
  /// A name that is not on the list.
  case globalRefused(name: String, offset: Int)
  /// Something other than a global is called.
  case callRefused(offset: Int)
  case extensionRefused(code: Int, offset: Int)
  case outOfBand(offset: Int)
  case trailingBytes(offset: Int)

  /// The rule in words.
  public var explanation: (problem: String, expected: String?, hint: String?) {
    switch self {
    case .truncated(let offset): ("pickle ends too early at byte \(offset)", nil, BadData.cut)
    case .unknownOpcode(let code, let offset):
      ("pickle has an unknown instruction 0x\(String(code, radix: 16)) at byte \(offset)", nil, nil)
    case .unknownProtocol(let number): ("pickle has an unknown protocol \(number)", "0 to 5", nil)
    case .stackEmpty(let offset): ("pickle takes a value that is not there at byte \(offset)", nil, nil)
    case .noMark(let offset): ("pickle looks for a mark that is not there at byte \(offset)", nil, nil)
    case .memoUnset(let index, let offset):
      ("pickle recalls value \(index), which was never kept, at byte \(offset)", nil, nil)
    case .memoTooLarge(let index, let offset):
      ("pickle keeps a value under the number \(index) at byte \(offset)", "at most \(Limits.pickleMemoCount)", nil)
    case .badLength(let offset): ("pickle has an impossible length at byte \(offset)", nil, nil)
    case .badNumber(let offset): ("pickle has a malformed number at byte \(offset)", nil, nil)
    case .badText(let offset): ("pickle has malformed text at byte \(offset)", nil, nil)
    case .tooDeep(let offset):
      ("pickle is nested too deep at byte \(offset)", "at most \(Limits.pickleDepth) levels", nil)
    case .tooLarge(let count): ("pickle is too large: \(count) bytes", "at most \(Limits.pickleByteCount)", nil)
    case .tooManyValues(let offset):
      ("pickle holds more values than a reader can keep, at byte \(offset)", nil, nil)
    case .tooManyInstructions(let offset):
      ("pickle does not end in time at byte \(offset)", "at most \(Limits.pickleInstructionCount) instructions", nil)
    case .oddItems(let offset): ("pickle gives a key without a value at byte \(offset)", nil, nil)
    case .notAContainer(let offset): ("pickle puts items into something that holds none at byte \(offset)", nil, nil)
    case .globalNotText(let offset): ("pickle names a global by something other than text at byte \(offset)", nil, nil)
    case .globalRefused(let name, let offset):
      (
        "pickle asks for '\(name)' at byte \(offset), which is not data of a model", nil,
        "Nothing was run. Load it where you trust it, and save the weights as safetensors"
      )
    case .callRefused(let offset): ("pickle calls something that is no global at byte \(offset)", nil, nil)
    case .extensionRefused(let code, let offset):
      ("pickle asks for extension \(code) at byte \(offset), which is not data of a model", nil, nil)
    case .outOfBand(let offset): ("pickle wants a buffer from outside at byte \(offset)", nil, nil)
    case .trailingBytes(let offset): ("bytes follow the end of the pickle at byte \(offset)", nil, nil)
    }
  }

  /// The report for a pickle in the file at `place`.
  public func report(at place: String) -> ErrorReport {
    let (problem, expected, hint) = explanation
    return ErrorReport(.badData, at: place, problem, expected: expected, hint: hint)
  }
}
