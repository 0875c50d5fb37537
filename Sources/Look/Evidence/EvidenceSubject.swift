import Observation

/// One thing that every model is given.
public struct EvidenceSubject: Sendable {
  public enum Kind: String, Sendable, CaseIterable {
    /// A text that is read.
    case text
    /// A question about a picture that is answered.
    case answer
    /// A prompt that is painted.
    case painting
  }

  /// `text.0`, `answer.3`, `painting.2`.
  public let name: String
  public let kind: Kind
  /// The text's start, the question, or the prompt with its seed, for people.
  public let title: String
  /// Makes a model's run.
  /// - Parameter reference: the tokens of the reference's answer; nil where the model is the reference itself.
  public let run: @Sendable (_ reference: [Int]?) throws -> any ObservedRun

  public init(
    _ kind: Kind, number: Int, title: String, run: @escaping @Sendable (_ reference: [Int]?) throws -> any ObservedRun
  ) {
    name = "\(kind.rawValue).\(number)"
    self.kind = kind
    self.title = title
    self.run = run
  }
}
