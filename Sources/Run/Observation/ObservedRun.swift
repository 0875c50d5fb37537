import NetworkRuntime

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
  /// Of a picture, row by row; empty where none was made.
  public var pixels: [UInt8]
  /// Tokens of an answer, and its text.
  public var tokens: [Int]
  public var answer: String?

  public init(pixels: [UInt8] = [], tokens: [Int] = [], answer: String? = nil) {
    self.pixels = pixels
    self.tokens = tokens
    self.answer = answer
  }
}
