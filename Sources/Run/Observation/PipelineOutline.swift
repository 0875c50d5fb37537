/// What a pipeline consists of, for those who look on.
public struct PipelineOutline: Sendable {
  /// A sampler's state after each of its steps.
  public struct Sampler: Sendable, Equatable {
    /// The phase whose steps it takes.
    public let phase: String
    /// The operation that makes the new state.
    public let path: String
    /// What the state is, for people: `features`.
    public let title: String
    /// Which of several, such as that of the negative prompt; empty where there is one.
    public let note: String

    public init(phase: String, path: String, title: String, note: String = "") {
      self.phase = phase
      self.path = path
      self.title = title
      self.note = note
    }
  }

  public let samplers: [Sampler]
  /// The operation that makes logits: a row for each position.
  public let logitsPath: String?

  public init(samplers: [Sampler] = [], logitsPath: String? = nil) {
    self.samplers = samplers
    self.logitsPath = logitsPath
  }
}
