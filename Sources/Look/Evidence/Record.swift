import JSONText
import ModelSources
import Observation
import Tensors

/// What a model has made of the subjects, read from its file piece by piece.
final class Record {
  let path: String
  let settings: JSONValue
  private let source: ModelSource
  private var numbers: [String: Int] = [:]

  /// Bytes of settings at the most.
  private static let settingsLimit = 1 << 24

  /// - Throws: the errors of opening a source; ``EvidenceError/record(path:name:rule:)``.
  init(path: String) throws {
    self.path = path
    source = try ModelSource(path: path)
    for (number, tensor) in source.tensors.enumerated() { numbers[tensor.info.name.text] = number }
    guard let number = numbers[RecordName.settings.text], source.tensors[number].info.dtype == .u8,
      source.tensors[number].info.byteCount <= Self.settingsLimit
    else { throw EvidenceError.record(path: path, name: RecordName.settings.text, rule: "is not there") }
    do {
      settings = try ConfigJSON.parse(Self.bytes(source, number))
    } catch is JSONError {
      throw EvidenceError.record(path: path, name: RecordName.settings.text, rule: "is no JSON")
    }
    guard settings["schema"]?.string == Self.schema else {
      throw EvidenceError.record(path: path, name: RecordName.settings.text, rule: "is not of schema \(Self.schema)")
    }
  }

  static let schema = "bantam.record.1"

  /// Whether a file says that it is a record.
  static func isRecord(_ source: ModelSource) -> Bool {
    source.tensors.contains { $0.info.name.text == RecordName.settings.text }
      && source.tensors.contains { $0.info.name.text.contains("/") }
  }

  /// Values as f32.
  /// - Throws: ``EvidenceError/otherSize(subject:what:reference:model:)`` where there are not `count` of them.
  func floats(_ name: RecordName, count: Int, of subject: EvidenceSubject, what: String) throws -> [Float] {
    let number = try self.number(name, .f32)
    let info = source.tensors[number].info
    guard info.elementCount == count else {
      throw EvidenceError.otherSize(subject: subject.name, what: what, reference: info.elementCount, model: count)
    }
    var values = [Float](repeating: 0, count: count)
    try values.withUnsafeMutableBytes { try source.read(number, at: 0, into: $0) }
    return values
  }

  /// Tokens of a text or an answer.
  func tokens(_ subject: EvidenceSubject) throws -> [Int] {
    let number = try self.number(.tokens(subject: subject.name), .i64)
    let info = source.tensors[number].info
    guard info.elementCount <= Self.settingsLimit else {
      throw EvidenceError.record(path: path, name: info.name.text, rule: "is too long")
    }
    var values = [Int64](repeating: 0, count: info.elementCount)
    try values.withUnsafeMutableBytes { try source.read(number, at: 0, into: $0) }
    guard values.allSatisfy({ (0..<(1 << 31)).contains($0) }) else {
      throw EvidenceError.record(path: path, name: info.name.text, rule: "holds what are no tokens")
    }
    return values.map(Int.init)
  }

  func result(_ subject: EvidenceSubject) throws -> RunResult {
    var result = RunResult()
    if subject.kind != .painting { result.tokens = try tokens(subject) }
    if let number = numbers[RecordName.answer(subject: subject.name).text] {
      try result.answer = String(decoding: Self.bytes(source, number), as: UTF8.self)
    }
    if subject.kind == .painting {
      let number = try self.number(.picture(subject: subject.name), .u8)
      let info = source.tensors[number].info
      guard info.shape.count == 3, info.shape[2] == 3, info.shape.allSatisfy({ (1...(1 << 16)).contains($0) }),
        info.elementCount <= 1 << 29
      else { throw EvidenceError.record(path: path, name: info.name.text, rule: "is no picture") }
      result.picture = .init(width: info.shape[1], height: info.shape[0], pixels: try Self.bytes(source, number))
    }
    return result
  }

  /// Hands on all that was recorded, as a run would.
  func replay(_ subjects: [EvidenceSubject], into sink: any RunSink) throws {
    let named = Dictionary(subjects.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
    for tensor in source.tensors {
      guard let name = RecordName(tensor.info.name.text) else { continue }
      switch name {
      case .logits(let text, let first):
        guard let subject = named[text], tensor.info.shape.count == 2 else { continue }
        let values = try floats(name, count: tensor.info.elementCount, of: subject, what: "logits")
        try values.withUnsafeBufferPointer {
          try sink.logits(subject, first: first, width: tensor.info.shape[1], $0)
        }
      case .state(let text, let phase, let step):
        guard let subject = named[text] else { continue }
        let values = try floats(name, count: tensor.info.elementCount, of: subject, what: "states")
        try values.withUnsafeBufferPointer { try sink.state(subject, phase: phase, step: step, $0) }
      case .settings, .tokens, .answer, .picture: break
      }
    }
    for subject in subjects { try sink.finish(subject, result(subject)) }
    try source.checkUnchanged()
  }

  private func number(_ name: RecordName, _ dtype: DType) throws -> Int {
    guard let number = numbers[name.text] else {
      throw EvidenceError.record(path: path, name: name.text, rule: "is not there")
    }
    guard source.tensors[number].info.dtype == dtype else {
      throw EvidenceError.record(path: path, name: name.text, rule: "is not of dtype \(dtype.name)")
    }
    return number
  }

  private static func bytes(_ source: ModelSource, _ number: Int) throws -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: source.tensors[number].info.byteCount)
    try bytes.withUnsafeMutableBytes { try source.read(number, at: 0, into: $0) }
    return bytes
  }
}
