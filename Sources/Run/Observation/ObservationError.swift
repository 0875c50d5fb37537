import Tensors

/// What can keep two runs from being compared.
public enum ObservationError: ReportingError, Equatable {
  case otherOperations(first: String, second: String)

  public var report: ErrorReport {
    switch self {
    case .otherOperations(let first, let second):
      ErrorReport(
        .badData, at: "the two models", "do not compute the same operations", expected: first, found: second,
        hint: "Compare models of one family and size")
    }
  }
}
