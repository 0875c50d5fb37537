import Conversion
import InputStatistics
import ModelSources
import NetworkRuntime
import Observation
import Tensors

/// Quantizes a model layer by layer while it runs: each layer is solved for what it is given where all before it are quantized already.
///
/// Networks come in the order in which data goes through them, layers in the order in which a run meets them. For each layer all subjects
/// go once through its network. Full matrices of moments are held for one layer at a time, in temporary files.
public struct LayerwiseSolving {
  private let model: Model
  private let paintings: [StagedPainting]
  private let readings: [StagedReading]
  private let pictureWeight: Float
  private let threadCount: Int

  /// What is told before each round.
  public struct Progress: Sendable {
    /// Matrices that are solved, of how many that data can guide.
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

  /// Solves all that the plan wants quantized, data can guide, and some subject reaches.
  /// - Parameter solved: takes the tensors; those that it holds already, with all that they stand on, are not solved again.
  /// - Throws: ``StatisticsError/nonFinite(name:)``; what the runs throw.
  public func solve(
    _ plan: ConversionPlan, into solved: SolvedTensors, progress: (Progress) -> Void
  ) throws {
    let wanted = plan.guidedNames
    // What stands on a layer that is not there as it was is gone over again.
    let layers = solved.layers.prefix { plan.trials($0, in: solved).count == $0.count }
    var done = Set(layers.joined())
    func tell(_ component: String) {
      progress(Progress(done: done.count, count: wanted.count, component: component))
    }
    tell("answers")
    var state = State(
      model: model, painted: try paintings.map { try $0.make(model, through: .prompt) },
      read: try readings.map { try $0.make(model) })
    for component in Self.components {
      let own = wanted.filter { $0.hasPrefix(component + ".") }
      state.model = state.model.replacing(plan.trials(own.filter(done.contains), in: solved))
      while true {
        let open = Set(own).subtracting(done)
        if open.isEmpty { break }
        tell(component)
        let calibrator = LayerCalibrator(
          open: open, logitsPath: PaintingRun.outline.logitsPath, blockColumns: Self.blockColumns,
          pictureWeight: pictureWeight, threadCount: threadCount)
        _ = try advance(state, component, [calibrator])
        if calibrator.layer.isEmpty { break }
        try plan.solve(calibrator.layer, with: calibrator.sums, into: solved)
        try solved.close(layer: calibrator.layer)
        state.model = state.model.replacing(plan.trials(calibrator.layer, in: solved))
        done.formUnion(calibrator.layer)
      }
      // What the next network is given is what this one makes when it is quantized.
      if component != Self.components.last { state = try advance(state, component, []) }
    }
  }

  /// Sends all subjects through one network.
  private func advance(_ state: State, _ component: String, _ observers: [any Observer]) throws -> State {
    var state = state
    for (number, reading) in readings.enumerated() where reading.changes(with: [component]) {
      state.read[number] = try reading.make(
        state.model, reusing: state.read[number], components: [component], observers: observers)
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
