import Tensors

/// What can be wrong with a table of sensitivities, or with what is asked of a plan.
public enum PlanningError: ReportingError, Equatable {
  case malformed(path: String, rule: String)
  /// None of the tensors that may be quantized is in the table.
  case ofAnotherModel(path: String)
  /// Even the smallest encodings take more.
  case budgetTooSmall(asked: Int, least: Int)
  /// Not even the most precise encodings lose so little.
  case boundTooTight(measure: String, asked: Double, best: Double)
  /// The table says nothing of the measure that a bound is set on.
  case notMeasured(measure: String, path: String)

  public var report: ErrorReport {
    switch self {
    case .malformed(let path, let rule):
      ErrorReport(.badData, at: path, "this is no table of sensitivities: \(rule)")
    case .ofAnotherModel(let path):
      ErrorReport(
        .badData, at: path, "the table names none of the tensors that may be quantized",
        hint: "It counts for the model that was measured")
    case .budgetTooSmall(let asked, let least):
      ErrorReport(
        .usage, at: "budget", "is less than the smallest encodings take", expected: "at least \(least) bytes",
        found: "\(asked)")
    case .boundTooTight(let measure, let asked, let best):
      ErrorReport(
        .usage, at: "bound on \(measure)", "is out of reach", expected: "at least \(best)", found: "\(asked)")
    case .notMeasured(let measure, let path):
      ErrorReport(
        .usage, at: path, "the table has not measured \(measure)",
        hint: "Measure it with texts, or with pictures to answer questions about")
    }
  }
}
