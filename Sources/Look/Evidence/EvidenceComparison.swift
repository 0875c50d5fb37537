import JSONText
import ModelSources
import Pictures
import Tensors

/// Holds models against a reference, one after the other.
public final class EvidenceComparison {
  /// A model in a compute mode, with what it is given.
  public struct Candidate: Sendable {
    /// For people: the file's name.
    public let name: String
    public let path: String
    public let compute: String
    public let subjects: [EvidenceSubject]

    public init(name: String, path: String, compute: String, subjects: [EvidenceSubject]) {
      self.name = name
      self.path = path
      self.compute = compute
      self.subjects = subjects
    }
  }

  /// What is known of one model.
  public struct Entry {
    public let name: String
    public let path: String
    public let compute: String
    public let weights: WeightFigures?
    public let measures: Measures
    /// Of its runs alone; nil where it was not run, but read from a record.
    public let seconds: Double?
    /// The most memory at the start of any step: of this process alone, and of mapped files.
    public let anonymousByteCount: Int?
    public let fileByteCount: Int?
  }

  /// The reference, held against itself, then the others.
  public private(set) var entries: [Entry] = []
  private let record: Record
  private let reference: ModelSource?
  private let resources: Resources
  private let willRun: (String, EvidenceSubject) -> Void

  /// Runs the reference and writes its record.
  /// - Parameters:
  ///   - settings: what decides what the models are given.
  ///   - recordPath: the record's file.
  ///   - willRun: called with a model's name before each of its subjects.
  ///   - keep: called with each picture of the reference.
  /// - Throws: what the runs throw.
  public init(
    running candidate: Candidate, settings: JSONValue, recordPath: String, resources: Resources,
    willRun: @escaping (String, EvidenceSubject) -> Void, keep: @escaping (EvidenceSubject, Picture) throws -> Void
  ) throws {
    self.resources = resources
    self.willRun = willRun
    let source = try ModelSource(path: candidate.path)
    reference = source
    let run = EvidenceRun(subjects: candidate.subjects, answers: nil)
    let writer = try RecordWriter(path: recordPath, tensorCount: Self.tensorLimit)
    let cost = try run.run(into: [writer]) { willRun(candidate.name, $0) }
    let weights = try WeightFigures(source)
    try writer.finish(
      settings: .members([
        "schema": .string(Record.schema), "name": .string(candidate.name), "compute": .string(candidate.compute),
        "given": settings, "seconds": .double(cost.seconds), "anonymous_bytes": .int(cost.anonymousByteCount),
        "file_bytes": .int(cost.fileByteCount), "bytes": .int(weights.byteCount),
      ]))
    record = try Record(path: recordPath)
    var own = weights
    own.sqnrDecibels = .infinity
    try add(candidate.subjects, candidate, weights: own, cost, keep)
  }

  /// Reads a record in place of running the reference.
  /// - Throws: ``EvidenceError``; the errors of opening a source.
  public init(
    reading path: String, settings: JSONValue, subjects: [EvidenceSubject], resources: Resources,
    willRun: @escaping (String, EvidenceSubject) -> Void, keep: @escaping (EvidenceSubject, Picture) throws -> Void
  ) throws {
    self.resources = resources
    self.willRun = willRun
    record = try Record(path: path)
    reference = nil
    // As texts: a number may have come back as another kind.
    for member in settings.object ?? [] where record.settings["given"]?[member.key]?.text() != member.value.text() {
      throw EvidenceError.otherSettings(path: path, what: member.key)
    }
    let candidate = Candidate(
      name: record.settings["name"]?.string ?? "reference", path: path,
      compute: record.settings["compute"]?.string ?? "", subjects: subjects)
    try add(subjects, candidate, weights: nil, nil, keep)
  }

  /// Room in a record's header.
  private static let tensorLimit = 40_000

  /// Whether a path leads to a record rather than a model.
  public static func isRecord(_ path: String) -> Bool {
    guard Folder.hasFile(path), let source = try? ModelSource(path: path) else { return false }
    return Record.isRecord(source)
  }

  /// Tells whatever can be known to fail before the work.
  public static func check(_ candidate: Candidate) throws {
    try EvidenceRun(subjects: candidate.subjects, answers: nil).check()
  }

  private func add(
    _ subjects: [EvidenceSubject], _ candidate: Candidate, weights: WeightFigures?, _ cost: EvidenceRun.Cost?,
    _ keep: @escaping (EvidenceSubject, Picture) throws -> Void
  ) throws {
    let measures = Measures(against: record, threadCount: resources.threadCount, keep: keep)
    try record.replay(subjects, into: measures)
    append(candidate, weights, measures, cost)
  }

  /// Runs a model and holds it against the reference.
  /// - Parameter recordPath: where what it makes is written as well.
  public func add(
    _ candidate: Candidate, recordPath: String? = nil, keep: @escaping (EvidenceSubject, Picture) throws -> Void
  ) throws {
    let measures = Measures(against: record, threadCount: resources.threadCount, keep: keep)
    let writer = try recordPath.map { try RecordWriter(path: $0, tensorCount: Self.tensorLimit) }
    let run = EvidenceRun(subjects: candidate.subjects) { [record] in try record.tokens($0) }
    let cost = try run.run(into: [measures] + (writer.map { [$0] } ?? [])) { willRun(candidate.name, $0) }
    try writer?.finish(
      settings: .members([
        "schema": .string(Record.schema), "name": .string(candidate.name), "compute": .string(candidate.compute),
        "given": record.settings["given"] ?? .null,
      ]))
    let source = try ModelSource(path: candidate.path)
    var weights = try WeightFigures(source)
    if let reference { try weights.compare(with: reference, source, resources) }
    append(candidate, weights, measures, cost)
  }

  private func append(
    _ candidate: Candidate, _ weights: WeightFigures?, _ measures: Measures, _ cost: EvidenceRun.Cost?
  ) {
    entries.append(
      Entry(
        name: candidate.name, path: candidate.path, compute: candidate.compute, weights: weights, measures: measures,
        seconds: cost?.seconds, anonymousByteCount: cost?.anonymousByteCount, fileByteCount: cost?.fileByteCount))
  }
}
