import Tensors

/// What can go wrong while a network is built or run.
public enum RuntimeError: ReportingError, Equatable {
  case weightMissing(path: String, name: String)
  case weightShape(path: String, name: String, expected: [Int], found: [Int])
  case weightDType(path: String, name: String, found: String)
  case nonFinite(operation: String, count: Int, of: Int)
  case file(FileError)

  public var report: ErrorReport {
    switch self {
    case .weightMissing(let path, let name):
      ErrorReport(
        .badData, at: "\(path): \(name)", "is not in this file")
    case .weightShape(let path, let name, let expected, let found):
      ErrorReport(
        .badData, at: "\(path): \(name)", "has another shape than the configuration says", expected: "\(expected)",
        found: "\(found)")
    case .weightDType(let path, let name, let found):
      ErrorReport(
        .badData, at: "\(path): \(name)", "has a dtype that cannot be computed with",
        expected: "F32, F16, BF16 or a group encoding", found: found)
    case .nonFinite(let operation, let count, let total):
      ErrorReport(
        .badData, at: operation, "gives values that are infinite or NaN, the first operation to do so",
        expected: "finite values", found: "\(count) of \(total)",
        hint: "A weight may be damaged")
    case .file(let error): error.report
    }
  }
}
