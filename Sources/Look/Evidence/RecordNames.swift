/// Names of a record's tensors: `SUBJECT/logits/FIRST`, `SUBJECT/state/PHASE/STEP`, `SUBJECT/tokens`, `SUBJECT/answer`,
/// `SUBJECT/picture`, and `settings`.
enum RecordName: Equatable {
  case settings
  case logits(subject: String, first: Int)
  case state(subject: String, phase: String, step: Int)
  case tokens(subject: String)
  case answer(subject: String)
  case picture(subject: String)

  var text: String {
    switch self {
    case .settings: "settings"
    case .logits(let subject, let first): "\(subject)/logits/\(first)"
    case .state(let subject, let phase, let step): "\(subject)/state/\(phase)/\(step)"
    case .tokens(let subject): "\(subject)/tokens"
    case .answer(let subject): "\(subject)/answer"
    case .picture(let subject): "\(subject)/picture"
    }
  }

  /// Nil for other names.
  init?(_ text: String) {
    let parts = text.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
    switch (parts.count, parts.count > 1 ? parts[1] : parts[0]) {
    case (1, "settings"): self = .settings
    case (3, "logits"):
      guard let first = Self.number(parts[2], below: 1 << 24) else { return nil }
      self = .logits(subject: parts[0], first: first)
    case (4, "state"):
      guard let step = Self.number(parts[3], below: 10_000) else { return nil }
      self = .state(subject: parts[0], phase: parts[2], step: step)
    case (2, "tokens"): self = .tokens(subject: parts[0])
    case (2, "answer"): self = .answer(subject: parts[0])
    case (2, "picture"): self = .picture(subject: parts[0])
    default: return nil
    }
  }

  /// A count as it is written here; nil for others, and for more than any text has tokens or sampler steps.
  private static func number(_ text: String, below limit: Int) -> Int? {
    Int(text).flatMap { (0..<limit).contains($0) && String($0) == text ? $0 : nil }
  }
}
