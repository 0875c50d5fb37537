import Tensors

/// What can be wrong with a model, or with what is asked of it.
public enum ModelError: ReportingError, Equatable {
  case fileMissing(path: String, file: String)
  case componentMissing(path: String, name: String, has: [String])
  case notThisFamily(path: String, family: String)
  /// A model of a known family whose networks are not built here.
  case notRunYet(path: String, title: String)
  case tokenMissing(path: String, token: String)
  case promptTooLong(count: Int, limit: Int)
  case size(Int, multiple: Int, limit: Int)
  case option(name: String, rule: String)
  /// Features to paint from, without those of an empty picture, and no tower that gives them.
  case featuresWithoutNegative(path: String)
  /// Patterns that fit nothing of what there is.
  case fitsNothing(patterns: [String], what: String)
  case noise(path: String, name: String, rule: String)

  public var report: ErrorReport {
    switch self {
    case .fileMissing(let path, let file): ErrorReport(.badData, at: path, "holds no '\(file)'")
    case .componentMissing(let path, let name, let has):
      ErrorReport(
        .badData, at: path, "\(name) is not in this file (has: \(has.joined(separator: ", ")))",
        hint: "Convert the release with all its components")
    case .notThisFamily(let path, let family):
      ErrorReport(
        .badData, at: path, "is not a BLIP3-o model", found: "family '\(family)'",
        hint: "name a release folder or a .bantam file made from one")
    case .notRunYet(let path, let title):
      ErrorReport(
        .badData, at: path,
        "this is a \(title) model: Bantam inspects, converts, quantizes, compares and exports it, and cannot run it yet"
      )
    case .tokenMissing(let path, let token): ErrorReport(.badData, at: path, "the tokenizer has no token '\(token)'")
    case .promptTooLong(let count, let limit):
      ErrorReport(.badData, at: "prompt", "is too long", expected: "at most \(limit) tokens", found: "\(count)")
    case .size(let size, let multiple, let limit):
      ErrorReport(
        .usage, at: "size of the picture", "does not divide",
        expected: "a multiple of \(multiple) from \(multiple) to \(limit)", found: "\(size)")
    case .option(let name, let rule): ErrorReport(.usage, at: name, rule)
    case .featuresWithoutNegative(let path):
      ErrorReport(
        .badData, at: path,
        "has no tower for the features of an empty picture, which painting from features is guided by",
        hint:
          "Give a file of features that holds 'negative_features', or a model with the component gen_vision, or a negative prompt"
      )
    case .fitsNothing(let patterns, let what):
      ErrorReport(
        .usage, at: "pattern '\(patterns.first ?? "")'", "fits no \(what)")
    case .noise(let path, let name, let rule):
      ErrorReport(.badData, at: name.isEmpty ? path : "\(path): \(name)", rule)
    }
  }
}
