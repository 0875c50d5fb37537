import Tensors

/// A config whose value cannot be used.
public struct ConfigError: ReportingError, Equatable {
  public let file: String
  public let key: String
  public let rule: String

  public init(file: String, key: String, rule: String) {
    self.file = file
    self.key = key
    self.rule = rule
  }

  public var report: ErrorReport { ErrorReport(.badData, at: key.isEmpty ? file : "\(file): \(key)", rule) }
}
