import JSONText
import Tensors

/// What can be wrong with a tokenizer's files.
public enum TokenizerError: ReportingError, Equatable {
  case json(file: String, JSONError)
  case malformed(file: String, rule: String)
  /// A kind of model, normaliser or split that is not byte-level BPE as Qwen2 uses it.
  case unsupported(file: String, what: String)
  case missing(file: String)

  public var report: ErrorReport {
    switch self {
    case .json(let file, let error): error.report(at: file)
    case .malformed(let file, let rule): ErrorReport(.badData, at: file, rule)
    case .unsupported(let file, let what):
      ErrorReport(.badData, at: file, "\(what) is not supported", expected: "byte-level BPE of Qwen2's kind")
    case .missing(let file):
      ErrorReport(.noInput, at: file, "is missing", expected: "tokenizer.json, or vocab.json and merges.txt")
    }
  }
}
