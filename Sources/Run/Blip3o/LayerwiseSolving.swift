import Conversion
import InputStatistics
import ModelSources
import NetworkRuntime
import Observation
import Tensors

/// Quantizes a model layer by layer while it runs: each layer is solved for what it is given where all before it are quantized already.
///
/// Networks come in the order in which data goes through them, layers in the order in which a run meets them. For each layer all subjects
/// go once through its network, once for every 32 of its matrices. Matrices of moments are held for one layer at a time, in temporary files: of all columns, where these are
/// not too many.
public struct LayerwiseSolving {
  private let model: Model
  private let paintings: [StagedPainting]
  private let readings: [StagedReading]
  private let pictureWeight: Float
  private let threadCount: Int

  /// What is told before each round.
  public struct Progress: Sendable {
    /// Matrices that are solved, of how many.
    public let done: Int
    public let count: Int
    /// The network.
    public let component: String
  }

  /// - Parameters:
  ///   - model: at full precision.
  ///   - pictureWeight: see ``Calibrator``.
  public init(
    _ model: Model, paintings: [StagedPainting], readings: [StagedReading], pictureWeight: Float, threadCount: Int
  ) {
    self.model = model
    self.paintings = paintings
    self.readings = readings
    self.pictureWeight = pictureWeight
    self.threadCount = threadCount
  }

  /// Networks in the order of data.
  private static let components = ["vision", "llm", "dit", "unet"]

  /// Columns of one matrix of moments at the most: what is needed to factor it grows with their square.
  private static let columnLimit = 6144

  /// All columns where they are few enough, else as many in each block as make its blocks alike.
  static func blockColumns(_ columns: Int) -> Int {
    guard columns > columnLimit else { return columns }
    let count = (columns + columnLimit - 1) / columnLimit
    return ((columns + count - 1) / count + 31) / 32 * 32
  }

  /// What every subject has come to with the model as it is by now.
  private struct State {
    var model: Model
    var painted: [StagedPainting.Made]
    var read: [StagedReading.Made]
  }

  /// Solves all that the plan wants quantized and some subject reaches.
  /// - Parameter solved: takes the tensors; those that it holds already, with all that they stand on, are not solved again.
  /// - Throws: ``StatisticsError/nonFinite(name:)``; ``FileError/damaged(path:problem:)`` where tensors are lost meanwhile; what the runs
  ///   throw.
  public func solve(
    _ plan: ConversionPlan, into solved: SolvedTensors, progress: (Progress) -> Void
  ) throws {
    let wanted = plan.matrixNames
    // What stands on a layer that is not there as it was is gone over again.
    let layers = solved.layers.prefix { plan.trials($0, in: solved).count == $0.count }
    var done = Set(layers.joined())
    func tell(_ component: String) {
      progress(Progress(done: done.count, count: wanted.count, component: component))
    }
    tell("answers")
    var state = State(
      model: model, painted: try paintings.map { try $0.make(model, through: .prompt) },
      read: try readings.map { try $0.begin(model) })
    var left = Self.components.filter { component in wanted.contains { Self.isPart($0, of: component) } }
    for component in Self.components where !left.isEmpty {
      let own = wanted.filter { Self.isPart($0, of: component) }
      try quantizeTables(plan, component, &state, solved)
      try substitute(own.filter(done.contains), plan, &state, solved)
      while true {
        let open = Set(own).subtracting(done)
        if open.isEmpty { break }
        tell(component)
        var calibrator = try collect(state, component, open, needsLogits: false)
        // The last token's logits are always made; a head is solved for those of all tokens.
        if !calibrator.layer.isEmpty, calibrator.layer.allSatisfy(isHead) {
          calibrator = try collect(state, component, open, needsLogits: true)
        }
        if calibrator.layer.isEmpty { break }
        try plan.solve(calibrator.layer, with: calibrator.sums, into: solved)
        try substitute(calibrator.layer, plan, &state, solved)
        try solved.close(layer: calibrator.layer)
        done.formUnion(calibrator.layer)
      }
      left.removeAll { $0 == component }
      // What the next network is given is what this one makes when it is quantized.
      if !left.isEmpty { state = try advance(state, component, needsLogits: false, []) }
    }
  }

  private static func isPart(_ name: String, of component: String) -> Bool { name.hasPrefix(component + ".") }

  /// Whether a matrix makes logits: of its own, or as the embedding that it is tied to.
  private func isHead(_ name: String) -> Bool { name.hasPrefix("llm.lm_head.") || name.hasPrefix("llm.embed_tokens.") }

  /// Tables are quantized from the start.
  private func quantizeTables(
    _ plan: ConversionPlan, _ component: String, _ state: inout State, _ solved: SolvedTensors
  ) throws {
    let names = plan.tableNames.filter { Self.isPart($0, of: component) }
    try plan.solve(names, with: CollectedSums([:]), into: solved)
    try substitute(names, plan, &state, solved)
  }

  /// Sends all subjects through one network, to see the inputs of its next layer.
  private func collect(
    _ state: State, _ component: String, _ open: Set<String>, needsLogits: Bool
  ) throws -> LayerCalibrator {
    let calibrator = LayerCalibrator(
      open: open, logitsPath: PaintingRun.outline.logitsPath, blockColumns: Self.blockColumns,
      pictureWeight: pictureWeight, threadCount: threadCount)
    _ = try advance(state, component, needsLogits: needsLogits, [calibrator])
    return calibrator
  }

  private func substitute(
    _ names: [String], _ plan: ConversionPlan, _ state: inout State, _ solved: SolvedTensors
  ) throws {
    let trials = plan.trials(names, in: solved)
    guard trials.count == names.count else {
      throw FileError.damaged(path: solved.path, problem: "lost tensors while it was worked on")
    }
    state.model = state.model.replacing(trials)
  }

  /// Sends all subjects through one network.
  private func advance(
    _ state: State, _ component: String, needsLogits: Bool, _ observers: [any Observer]
  ) throws -> State {
    var state = state
    for (number, reading) in readings.enumerated() where reading.changes(with: [component]) {
      state.read[number] = try reading.advance(
        state.model, through: component, reusing: state.read[number], needsLogits: needsLogits, observers: observers)
    }
    if let part = StagedPainting.start(of: [component]) {
      for (number, painting) in paintings.enumerated() {
        state.painted[number] = try painting.make(
          state.model, from: part, through: part, reusing: state.painted[number], observers: observers)
      }
    }
    return state
  }
}
