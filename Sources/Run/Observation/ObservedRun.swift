import NetworkRuntime
import Pictures

/// A whole run of a model that others look on at: a painting, an answer.
public protocol ObservedRun: Sendable {
  var outline: PipelineOutline { get }
  var mode: ComputeMode { get }
  /// - Throws: what can be known before the work.
  func check() throws
  func run(observers: [any Observer]) throws -> RunResult
}

/// What a run has made.
public struct RunResult: Sendable {
  public var picture: Picture?
  /// Tokens of a text that was read, or of an answer, and the answer's text.
  public var tokens: [Int]
  public var answer: String?

  public init(picture: Picture? = nil, tokens: [Int] = [], answer: String? = nil) {
    self.picture = picture
    self.tokens = tokens
    self.answer = answer
  }
}
