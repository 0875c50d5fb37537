import Tensors

/// What can be wrong with a file of statistics.
public enum StatisticsError: ReportingError, Equatable {
  case malformed(path: String, name: String, rule: String)
  /// Two files that cannot be added: of other models, or collected in another way.
  case doNotFit(path: String, other: String, what: String)
  /// The inputs that were counted have another width than the matrix.
  case otherWidth(path: String, name: String, expected: Int, found: Int)
  /// None of the tensors to be quantized is in the file.
  case ofAnotherModel(path: String)
  case nonFinite(name: String)

  public var report: ErrorReport {
    switch self {
    case .malformed(let path, let name, let rule):
      ErrorReport(.badData, at: "\(path): '\(name)'", "these are no statistics: it \(rule)")
    case .doNotFit(let path, let other, let what):
      ErrorReport(
        .badData, at: other, "cannot be added to '\(path)'", found: "another \(what)",
        hint: "Only statistics of one model that were collected in one way can be added up")
    case .otherWidth(let path, let name, let expected, let found):
      ErrorReport(
        .badData, at: "\(path): '\(name)'", "the statistics are of another model", expected: "\(expected) columns",
        found: "\(found)")
    case .ofAnotherModel(let path):
      ErrorReport(
        .badData, at: path, "the statistics name none of the tensors that are to be quantized",
        hint: "They count for the model that they were collected from, under the names of its native file")
    case .nonFinite(let name):
      ErrorReport(.badData, at: "'\(name)'", "an input holds values that are infinite or no numbers")
    }
  }
}
