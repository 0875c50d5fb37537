import Tensors

/// A rule of the npy format that an array breaks.
public enum NumPyError: PlacelessError, Equatable {
  case badMagic
  case unknownVersion(Int)
  case headerPastEnd(claimed: Int)
  /// The header is not the literal that NumPy writes.
  case badHeader(offset: Int)
  case missingKey(String)
  case unknownDType([UInt8])
  case bigEndian([UInt8])
  case badShape
  case noName
  case sizeMismatch(expected: Int, found: Int)

  /// The report for an array, of a file at `path` or in an archive.
  public func report(at path: String) -> ErrorReport {
    let bad = BadData(at: path)
    switch self {
    case .badMagic: return bad("is not a NumPy array")
    case .unknownVersion(let version): return bad("is of an unknown npy version", "1, 2 or 3", "\(version)")
    case .headerPastEnd(let claimed):
      return bad("header reaches past the end", nil, "\(claimed) bytes", BadData.cut)
    case .badHeader(let offset): return bad("header is malformed at its byte \(offset)")
    case .missingKey(let key): return bad("header has no '\(key)'")
    case .unknownDType(let descr):
      return bad("array has a dtype that is not read", "'<f4', '<f2', '<i8', ...", "'\(String(utf8: descr))'")
    case .bigEndian(let descr): return bad("array is big-endian", "little-endian", "'\(String(utf8: descr))'")
    case .noName: return bad("array has no name")
    case .badShape: return bad("shape is not a tuple of at most \(Limits.rank) sizes, or overflows")
    case .sizeMismatch(let expected, let found):
      return bad("data does not fit the shape", "\(expected) bytes", "\(found)", BadData.cut)
    }
  }
}
