import Tensors

/// A rule of the GGUF format, or of ours on top of it, that a file breaks.
public enum GGUFError: PlacelessError, Equatable {
  case file(FileError)
  case badMagic
  case bigEndian
  case unknownVersion(UInt32)
  case truncated(offset: Int)
  case tooManyKeys(claimed: UInt64)
  case tooManyTensors(claimed: UInt64)
  case badKey(offset: Int)
  case keyTwice(key: [UInt8])
  case unknownValueType(key: [UInt8], type: UInt32)
  case badBool(key: [UInt8])
  case stringTooLong(key: [UInt8], claimed: UInt64)
  case textNotUTF8(key: [UInt8])
  case arrayTooLong(key: [UInt8], claimed: UInt64)
  case nestedArray(key: [UInt8])
  case badAlignment(found: String)
  case badTensorName(offset: Int)
  case tensorTwice(name: TensorName)
  case rankTooLarge(name: TensorName, rank: UInt32)
  case sizeOverflow(name: TensorName)
  case unknownType(name: TensorName, type: UInt32)
  case partialBlock(name: TensorName, type: String, columns: Int)
  case unaligned(name: TensorName, offset: UInt64, alignment: Int)
  case outside(name: TensorName, end: UInt64, available: Int)
  case overlap(name: TensorName, other: TensorName)
  case hole(before: TensorName, byteCount: Int)
  case trailingBytes(count: Int)
  /// Of a file that is to be written.
  case nameTooLong(name: TensorName)
  case headerTooLarge(byteCount: Int)

  /// The report for a file at `path`.
  public func report(at path: String) -> ErrorReport {
    let bad = BadData(at: path)
    func key(_ key: [UInt8]) -> String { "metadata '\(String(utf8: key))'" }
    switch self {
    case .file(let error): return error.report
    case .badMagic: return bad("does not start with 'GGUF'")
    case .bigEndian: return bad("is a big-endian GGUF file", "little-endian")
    case .unknownVersion(let version):
      return bad(
        "is of a GGUF version that is not read", "2 or 3", "\(version)",
        version == 1 ? "Convert the model anew with a current llama.cpp" : nil)
    case .truncated(let offset): return bad("header ends too early at byte \(offset)", nil, nil, BadData.cut)
    case .tooManyKeys(let claimed):
      return bad(
        "claims more metadata than the file or a reader can hold", "at most \(Limits.ggufKeyCount)", "\(claimed)",
        BadData.cut)
    case .tooManyTensors(let claimed):
      return bad(
        "claims more tensors than the file or a reader can hold", "at most \(Limits.ggufTensorCount)", "\(claimed)",
        BadData.cut
      )
    case .badKey(let offset):
      return bad("metadata key at byte \(offset) is not text of 1 to \(Limits.nameByteCount) bytes")
    case .keyTwice(let name): return bad("\(key(name)) occurs twice", "one")
    case .unknownValueType(let name, let type): return bad("\(key(name)) has an unknown type", "0 to 12", "\(type)")
    case .badBool(let name): return bad("\(key(name)) is neither true nor false")
    case .stringTooLong(let name, let claimed):
      return bad("\(key(name)) is a string longer than what is left", nil, "\(claimed) bytes", BadData.cut)
    case .textNotUTF8(let name): return bad("\(key(name)) is not UTF-8")
    case .arrayTooLong(let name, let claimed):
      return bad("\(key(name)) is an array longer than what is left", nil, "\(claimed) items", BadData.cut)
    case .nestedArray(let name): return bad("\(key(name)) is an array of arrays", "an array of plain values")
    case .badAlignment(let found): return bad("'general.alignment' is no power of two", "8 to 1048576", found)
    case .badTensorName(let offset):
      return bad("tensor name at byte \(offset) is not text of 1 to \(Limits.nameByteCount) bytes")
    case .tensorTwice(let name): return bad("tensor '\(name)' occurs twice", "one")
    case .rankTooLarge(let name, let rank):
      return bad("tensor '\(name)' has too many dimensions", "at most \(Limits.ggufRank)", "\(rank)")
    case .sizeOverflow(let name): return bad("the size of tensor '\(name)' overflows")
    case .unknownType(let name, let type): return bad("tensor '\(name)' has an unknown type", nil, "\(type)")
    case .partialBlock(let name, let type, let columns):
      return bad("rows of tensor '\(name)' do not fill whole blocks of \(type)", nil, "\(columns) elements")
    case .unaligned(let name, let offset, let alignment):
      return bad("tensor '\(name)' is not aligned", "a multiple of \(alignment)", "\(offset)")
    case .outside(let name, let end, let available):
      return bad("tensor '\(name)' ends at byte \(end) of the data", "at most \(available)", "\(end)", BadData.cut)
    case .overlap(let name, let other): return bad("tensors '\(other)' and '\(name)' overlap")
    case .hole(let name, let count): return bad("\(count) bytes before tensor '\(name)' belong to no tensor")
    case .nameTooLong(let name):
      return bad(
        "the name of tensor '\(name)' is too long for GGUF", "at most \(Limits.ggufNameByteCount) bytes",
        "\(name.utf8.count)")
    case .headerTooLarge(let count):
      return bad("its GGUF header would be too large", "at most \(Limits.ggufHeaderByteCount) bytes", "\(count)")
    case .trailingBytes(let count): return bad("\(count) bytes follow the last tensor", "at most its padding")
    }
  }
}
