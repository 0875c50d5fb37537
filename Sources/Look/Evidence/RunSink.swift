import NetworkRuntime
import Observation

/// Takes what a model makes of the subjects, as it comes.
protocol RunSink: AnyObject {
  /// Logits behind tokens next to each other.
  /// - Parameters:
  ///   - first: the number of the first row among the subject's.
  ///   - values: `[rows, width]`.
  func logits(_ subject: EvidenceSubject, first: Int, width: Int, _ values: UnsafeBufferPointer<Float>) throws
  /// The state of a sampler after a step.
  func state(_ subject: EvidenceSubject, phase: String, step: Int, _ values: UnsafeBufferPointer<Float>) throws
  /// What a subject's run has come to.
  func finish(_ subject: EvidenceSubject, _ result: RunResult) throws
}
