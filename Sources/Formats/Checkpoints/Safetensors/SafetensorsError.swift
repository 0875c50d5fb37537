import JSONText
import Tensors

/// The rules of the safetensors format, one case for each way to break one.
///
/// Source: safetensors README, section "Format", and the reference reader's validation.
public enum SafetensorsError: PlacelessError, Equatable {
  case file(FileError)
  /// Fewer than the 8 bytes of the header's length.
  case tooShort(byteCount: Int)
  case headerTooLarge(claimed: UInt64)
  case headerPastEnd(claimed: Int, available: Int)
  case headerEmpty
  case headerDoesNotStartWithBrace(found: UInt8)
  case json(JSONError)
  case paddingNotSpaces(offset: Int)
  case metadataNotStrings(key: [UInt8])
  case entryNotObject(name: TensorName)
  case missingField(name: TensorName, field: String)
  case unknownField(name: TensorName, field: [UInt8])
  case unknownDType(name: TensorName, dtype: [UInt8])
  case badShape(name: TensorName)
  case rankTooLarge(name: TensorName)
  case nameTooLong(byteCount: Int)
  case nameEmpty
  case offsetsNotPair(name: TensorName, count: Int)
  case sizeOverflow(name: TensorName, shape: [Int])
  case partialByte(name: TensorName, dtype: DType)
  case reversedRange(name: TensorName, begin: Int, end: Int)
  case sizeMismatch(name: TensorName, expected: Int, found: Int)
  case overlap(name: TensorName, other: TensorName)
  case hole(before: TensorName, from: Int, to: Int)
  case pastEnd(name: TensorName, end: Int, available: Int)
  case trailingBytes(count: Int)
  case tooManyTensors

  /// The report for a file under the name the user knows.
  public func report(at path: String) -> ErrorReport {
    let bad = BadData(at: path)
    switch self {
    case .file(let error): return error.report
    case .tooShort(let count):
      return bad("is too short for a safetensors file", "at least 8 bytes", "\(count)", "The download looks unfinished")
    case .headerTooLarge(let claimed):
      return bad("header length is over the limit", "at most \(Limits.safetensorsHeaderByteCount)", "\(claimed)")
    case .headerPastEnd(let claimed, let available):
      return bad("header reaches past the end", "at most \(available) bytes", "\(claimed)", BadData.cut)
    case .headerEmpty: return bad("header is empty", "a JSON object", "0 bytes")
    case .headerDoesNotStartWithBrace(let byte): return bad("header does not start with '{'", "0x7b", hexText(byte))
    case .json(let error): return error.report(at: path + ": header")
    case .paddingNotSpaces(let offset): return bad("header padding at byte \(offset) is not white space")
    case .metadataNotStrings(let key): return bad("__metadata__ '\(String(utf8: key))' is not a string")
    case .entryNotObject(let name): return bad("tensor '\(name)' is not described by an object")
    case .missingField(let name, let field): return bad("tensor '\(name)' has no '\(field)'")
    case .unknownField(let name, let field):
      return bad("tensor '\(name)' has an unknown field '\(String(utf8: field))'")
    case .unknownDType(let name, let dtype):
      return bad("tensor '\(name)' has an unknown dtype", "F32, BF16, ...", "'\(String(utf8: dtype))'")
    case .badShape(let name): return bad("tensor '\(name)' has a shape that is not a list of sizes")
    case .rankTooLarge(let name): return bad("tensor '\(name)' has too many dimensions", "at most \(Limits.rank)")
    case .nameTooLong(let count):
      return bad("a tensor's name is too long", "at most \(Limits.nameByteCount) bytes", "\(count)")
    case .nameEmpty: return bad("a tensor has an empty name")
    case .offsetsNotPair(let name, let count):
      return bad("data_offsets of tensor '\(name)' are not a pair", "2 numbers", "\(count)")
    case .sizeOverflow(let name, let shape):
      return bad("the size of tensor '\(name)' overflows", nil, "shape \(shape.prefix(8))")
    case .partialByte(let name, let dtype):
      return bad("tensor '\(name)' of \(dtype.bitWidth)-bit \(dtype.name) does not fill whole bytes")
    case .reversedRange(let name, let begin, let end):
      return bad("tensor '\(name)' ends before it begins", nil, "\(begin) to \(end)")
    case .sizeMismatch(let name, let expected, let found):
      return bad("the range of tensor '\(name)' does not fit its shape", "\(expected) bytes", "\(found)")
    case .overlap(let name, let other): return bad("tensors '\(other)' and '\(name)' overlap")
    case .hole(let name, let from, let to):
      return bad("bytes \(from) to \(to) before tensor '\(name)' belong to no tensor")
    case .pastEnd(let name, let end, let available):
      return bad("tensor '\(name)' ends at byte \(end) of the data", "at most \(available)", "\(end)", BadData.cut)
    case .trailingBytes(let count): return bad("\(count) bytes follow the last tensor", "none", nil)
    case .tooManyTensors: return bad("has too many tensors", "at most \(Limits.tensorCount)")
    }
  }
}

func hexText(_ byte: UInt8) -> String { "0x" + String(byte, radix: 16) }
