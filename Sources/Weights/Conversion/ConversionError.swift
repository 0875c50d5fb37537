import Tensors

/// What can be wrong with a request to convert.
public enum ConversionError: ReportingError, Equatable {
  case nothingToConvert(path: String)
  case cannotCast(name: String, dtype: String)
  case nameTooLong(name: String)
  /// The index of the output would be over its limit.
  case tooManyTensors(path: String)

  public var report: ErrorReport {
    switch self {
    case .nothingToConvert(let path): ErrorReport(.badData, at: path, "holds no tensor to convert")
    case .cannotCast(let name, let dtype):
      ErrorReport(.badData, at: name, "cannot be cast", expected: "a floating-point type", found: dtype)
    case .nameTooLong(let name):
      ErrorReport(
        .badData, at: name, "the name is too long with its folder",
        expected: "at most \(Limits.nameByteCount) bytes")
    case .tooManyTensors(let path):
      ErrorReport(
        .badData, at: path, "holds more tensors and names than an index may",
        expected: "at most \(Limits.archiveIndexByteCount) bytes")
    }
  }
}
