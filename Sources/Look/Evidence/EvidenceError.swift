import Tensors

/// What can keep models from being compared.
public enum EvidenceError: ReportingError, Equatable {
  /// A record lacks something, or holds what does not fit.
  case record(path: String, name: String, rule: String)
  /// A record was made of other subjects or settings.
  case otherSettings(path: String, what: String)
  /// A model's vocabulary, features or pictures have another size than the reference's.
  case otherSize(subject: String, what: String, reference: Int, model: Int)

  public var report: ErrorReport {
    switch self {
    case .record(let path, let name, let rule):
      ErrorReport(
        .badData, at: path, "'\(name)' \(rule)", expected: "a record as 'formats/record.md' describes it",
        hint: "Make it again")
    case .otherSettings(let path, let what):
      ErrorReport(
        .usage, at: path, "was made with other \(what)",
        hint: "Give what the record was made with, or the reference model in its place")
    case .otherSize(let subject, let what, let reference, let model):
      ErrorReport(
        .badData, at: subject, "the models' \(what) have other sizes", expected: "\(reference)", found: "\(model)",
        hint: "Compare models of one family and size")
    }
  }
}
