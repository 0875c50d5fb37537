import Blip3o
import Encodings
import InputStatistics
import JSONText
import Kernels
import ModelSources
import NetworkRuntime
import Observation
import Planning
import Synchronization
import Tensors

/// Measures what errors of a model's tensors do, one row after another.
public struct SensitivityRun: Sendable {
  /// Tensors that are measured together.
  public struct Group: Sendable, Equatable {
    public let name: String
    public let members: [String]

    public init(name: String, members: [String]) {
      self.name = name
      self.members = members
    }
  }

  private let model: Model
  private let paintings: [StagedPainting]
  private let readings: [StagedReading]
  private let statistics: StatisticsFile?
  private let resources: Resources
  private let subjectsAtOnce: Int
  private let madePaintings: [StagedPainting.Made]
  private let madeReadings: [StagedReading.Made]

  /// Runs the model as it is.
  /// - Parameter subjectsAtOnce: how many are run side by side.
  public init(
    _ model: Model, paintings: [StagedPainting], readings: [StagedReading], statistics: StatisticsFile?,
    resources: Resources, subjectsAtOnce: Int
  ) throws {
    self.subjectsAtOnce = subjectsAtOnce
    self.model = model
    self.paintings = paintings
    self.readings = readings
    self.statistics = statistics
    self.resources = resources
    madePaintings = try paintings.map { try $0.make(model) }
    madeReadings = try readings.map { try $0.make(model) }
  }

  /// What a group in an encoding does; nil where it takes none of the tensors.
  public func effects(_ group: Group, _ encoding: any Encoding) throws -> Effects? {
    let (trial, errors) = try model.replacing(
      group.members, by: encoding, statistics: statistics, resources: resources)
    return errors.isEmpty ? nil : try effects(of: trial, components: Set(group.members.map(Self.component)))
  }

  /// What another model makes of all, beside this one.
  /// - Parameter components: in which it differs.
  public func effects(of trial: Model, components: Set<String>) throws -> Effects {
    var effects: Effects = [:]
    if !paintings.isEmpty { effects = try paint(trial, components) }
    if !readings.isEmpty { effects[.divergence] = try read(trial, components) }
    return effects
  }

  private static func component(_ name: String) -> String { String(name.prefix { $0 != "." }) }

  private func paint(_ trial: Model, _ components: Set<String>) throws -> Effects {
    guard let start = StagedPainting.start(of: components) else { return [.features: 0, .latents: 0, .picture: 0] }
    var (features, latents, picture) = (ValueDifference(), ValueDifference(), 0.0)
    let all = try side(paintings.count) { try paintings[$0].make(trial, from: start, reusing: madePaintings[$0]) }
    for (made, reference) in zip(all, madePaintings) {
      reference.features.withUnsafeBufferPointer { a in made.features.withUnsafeBufferPointer { features.add(a, $0) } }
      reference.latents.withUnsafeBufferPointer { a in made.latents.withUnsafeBufferPointer { latents.add(a, $0) } }
      let squares = zip(reference.picture, made.picture).reduce(0.0) { sum, pair in
        let difference = Double(pair.0 - pair.1)
        return sum + difference * difference
      }
      picture += squares / Double(max(1, made.picture.count))
    }
    func relative(_ difference: ValueDifference) -> Double {
      difference.signalSquare > 0 ? difference.errorSquare / difference.signalSquare : 0
    }
    return [
      .features: relative(features), .latents: relative(latents), .picture: picture / Double(paintings.count),
    ]
  }

  /// Mean divergence over all positions.
  private func read(_ trial: Model, _ components: Set<String>) throws -> Double {
    let all = try side(readings.count) { number -> [Double] in
      let reference = madeReadings[number]
      guard readings[number].changes(with: components) else {
        return Array(repeating: 0, count: reference.logits.count / reference.width)
      }
      let made = try readings[number].make(trial, reusing: reference, components: components)
      return reference.logits.withUnsafeBufferPointer { expected in
        made.logits.withUnsafeBufferPointer { found in
          stride(from: 0, to: found.count, by: made.width).map { row in
            let range = row..<row + made.width
            return LogitsPosition(
              UnsafeBufferPointer(rebasing: expected[range]), UnsafeBufferPointer(rebasing: found[range])
            ).divergence
          }
        }
      }
    }
    let divergences = all.flatMap(\.self)
    return divergences.isEmpty ? 0 : divergences.reduce(0, +) / Double(divergences.count)
  }

  /// Runs of all subjects: side by side where each is given one thread, else one after another.
  private func side<Made: Sendable>(_ count: Int, _ make: @Sendable (Int) throws -> Made) throws -> [Made] {
    let made = Mutex<[Made?]>(Array(repeating: nil, count: count))
    try Workers.run(threadCount: subjectsAtOnce, itemCount: count) { _, number in
      let own = try make(number)
      made.withLock { $0[number] = own }
    }
    return made.withLock { $0.map { $0! } }
  }

  // MARK: The table

  /// Measures all groups at the probe, and a tenth of the other cells as a check.
  /// - Parameters:
  ///   - journal: takes each result; what it holds already is not measured again.
  ///   - progress: told how many of how many are done.
  public func table(
    _ groups: [Group], probe: any Encoding, errors: [String: [String: Double]], given: JSONValue,
    journal: (journal: Journal, lines: [String]), progress: (Int, Int, String) -> Void
  ) throws -> SensitivityTable {
    var table = SensitivityTable(given: given, probe: probe.shortName, errors: errors)
    var (rows, checks): ([String: SensitivityTable.Row], [String: SensitivityTable.Check]) = ([:], [:])
    for line in journal.lines {
      guard let json = try? ConfigJSON.parse(Array(line.utf8)) else { continue }
      if let check = SensitivityTable.Check(json) {
        checks["\(check.name) \(check.encoding)"] = check
      } else if let row = SensitivityTable.Row(json) {
        rows[row.name] = row
      }
    }
    let others = PlanInputs.encodings.filter { $0.name != probe.name }
    // Of every second row one encoding, each in its turn: a tenth of all cells that are only predicted.
    let cells = stride(from: 0, to: groups.count, by: 2).map { number in
      (group: groups[number], encoding: others[number / 2 % others.count])
    }
    let count = groups.count + cells.count
    for (number, group) in groups.enumerated() {
      progress(number, count, group.name)
      var row = rows[group.name].flatMap { $0.members == group.members ? $0 : nil }
      if row == nil, let effects = try effects(group, probe) {
        row = .init(name: group.name, members: group.members, effects: effects)
        try journal.journal.append(row!.json.text())
      }
      if let row { table.rows.append(row) }
    }
    let measured = Dictionary(table.rows.map { ($0.name, $0) }, uniquingKeysWith: { a, _ in a })
    for (number, cell) in cells.enumerated() {
      progress(groups.count + number, count, "\(cell.group.name) in \(cell.encoding.shortName)")
      guard let row = measured[cell.group.name], let predicted = table.predicted(row, cell.encoding.shortName) else {
        continue
      }
      var check = checks["\(row.name) \(cell.encoding.shortName)"]
      if check == nil, let effects = try effects(cell.group, cell.encoding) {
        check = .init(
          name: row.name, encoding: cell.encoding.shortName, predicted: predicted, measured: effects)
        try journal.journal.append(check!.json.text())
      }
      if let check { table.checks.append(check) }
    }
    return table
  }
}
