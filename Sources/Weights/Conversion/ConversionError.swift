import Tensors

/// What can be wrong with a request to convert.
public enum ConversionError: ReportingError, Equatable {
  case nothingToConvert(path: String)
  case cannotCast(name: String, dtype: String)
  case nameTooLong(name: String)
  /// The index of the output would be over its limit.
  case tooManyTensors(path: String)
  /// A tensor is not the one that was solved before the work was stopped.
  case sourceChanged(path: String, name: String, folder: String)
  /// What was solved before belongs to another output of the same name.
  case otherWork(folder: String)

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
    case .sourceChanged(let path, let name, let folder):
      ErrorReport(
        .badData, at: path, "'\(name)' has changed since it was solved",
        hint: "Remove the folder '\(folder)' and start again")
    case .otherWork(let folder):
      ErrorReport(
        .cannotCreate, at: folder, "keeps tensors of work with other options, data or another model that was stopped",
        hint: "The command that made them goes on behind them; remove the folder to begin anew")
    }
  }
}
