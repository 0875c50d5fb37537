import Conversion
import Documents
import JSONText
import Kernels
import ModelSources
import Planning
import Tensors

/// A conversion, planned or done, for people and programs.
public struct PlanReport {
  private let plan: ConversionPlan
  private let output: String
  private let seconds: Double?
  private let quality: QualityReport?
  private let outcomes: [TensorOutcome]
  private let budget: BudgetPlan?

  /// - Parameters:
  ///   - seconds: what it took; nil of one that is only planned.
  ///   - quality: what quantization cost.
  ///   - outcomes: what data did to each quantized tensor.
  ///   - budget: the choice of encodings, where it was made here.
  public init(
    _ plan: ConversionPlan, _ output: String, seconds: Double? = nil, quality: QualityReport? = nil,
    outcomes: [TensorOutcome] = [], budget: BudgetPlan? = nil
  ) {
    self.budget = budget
    self.outcomes = outcomes
    self.plan = plan
    self.output = output
    self.seconds = seconds
    self.quality = quality
  }

  public var document: Document {
    var document = Document(schema: "bantam.convert.1")
    document.fact("source", "source", .text(plan.source.path))
    document.fact("output", "output", .text(output))
    document.fact("family", "family", .text(plan.map.family))
    document.fact("release", "release", plan.map.release.map { .text($0) } ?? .absent)
    document.data("left_out", .array(plan.leftOut.map { .string($0.name) }))
    document.fact(nil, "left out", .list(plan.leftOut.map { "\($0.name) (\(Quantity.bytes(byteCount($0))))" }))
    document.fact("input_bytes", "reads", .bytes(plan.inputByteCount))
    document.data("output_bytes", .int(plan.outputByteCount))
    document.fact(
      nil, "writes", .text("\(Quantity.bytes(plan.outputByteCount)) (\(plan.outputByteCount) bytes)"))
    document.data("peak_memory_bytes", .int(plan.peakMemoryByteCount))
    document.data("threads", .int(plan.resources.threadCount))
    if seconds == nil {
      let memory = Quantity.bytes(plan.peakMemoryByteCount)
      document.fact(nil, "peak memory", .text("about \(memory) on \(plan.resources.threadCount) threads"))
    }
    document.fact("seconds", "time", seconds.map { .seconds($0) } ?? .absent)
    document.data("notes", .array(plan.notes.map { .string($0) }))
    if let quality {
      // People see one table of components: the one that says more.
      document.data("components", componentTable.json)
      document.add(quality.componentTable("quality"))
    } else {
      document.add(componentTable)
      document.data("quality", .null)
    }
    if let budget { addBudget(budget, to: &document) }
    if budget != nil || outcomes.contains(where: { $0.outputDecibels != nil }) { document.add(choiceTable) }
    document.data(
      "tensors",
      .array(
        plan.archive.index.tensors.map { tensor in
          .members([
            "name": .string(tensor.info.name.text), "dtype": .string(tensor.info.dtype.name),
            "shape": .array(tensor.info.shape.map { .int($0) }),
            "encoding": .string(plan.archive.index.encodings[tensor.encoding].name),
            "bytes": .int(tensor.planes.reduce(0) { $0 + $1.byteCount }),
          ])
        }))
    return document
  }

  private func byteCount(_ component: ModelMap.Component) -> Int {
    component.tensors.reduce(0) { $0 + plan.source.tensors[$1.number].info.byteCount }
  }

  private var componentTable: Table {
    var table = Table(
      "components",
      [
        .init("name", "component"), .init("tensors", "tensors", rank: 1), .init("quantized", "quantized"),
        .init("parameters", "parameters"), .init("bytes", "stored"), .init("bits_per_weight", "bits/w"),
      ])
    let index = plan.archive.index
    for (number, component) in index.components.enumerated() {
      let tensors = index.tensors[component.tensorRange]
      let parameters = tensors.reduce(0) { $0 + $1.info.elementCount }
      let stored = plan.archive.storedByteCount(component: number)
      table.add([
        .name(component.name), .count(tensors.count),
        .count(tensors.count { index.encodings[$0.encoding] != .plain }), .parameters(parameters), .bytes(stored),
        .bitsPerWeight(bytes: stored, parameters: parameters),
      ])
    }
    return table
  }

  private func addBudget(_ budget: BudgetPlan, to document: inout Document) {
    document.fact("bits_per_weight", "average bits", .number(budget.bitsPerWeight, places: 3))
    for (measure, value) in budget.predicted.sorted(by: { $0.key.rawValue < $1.key.rawValue }) {
      let text: String? =
        switch measure {
        case .divergence: "KL \(Quantity.scientific(value)) nats a token"
        case .features: "features \(Quantity.decibels(decibels(1, over: value)))"
        case .latents: "latents \(Quantity.decibels(decibels(1, over: value)))"
        case .picture: "pictures \(Quantity.decibels(decibels(1, over: value))) PSNR"
        case .weights: nil
        }
      document.data("predicted_\(measure.rawValue)", .double(value))
      if let text { document.fact(nil, "predicted", .text(text)) }
    }
  }

  /// Why each tensor is stored as it is, and what data did; the worst outputs first.
  private var choiceTable: Table {
    let measures = Measure.allCases.filter { measure in
      budget?.tensors.indices.contains { budget!.option($0).effects[measure] != nil } ?? false
    }
    var table = Table(
      "choices",
      [
        .init("name", "tensor"), .init("encoding", "encoding"), .init("bits", "bits", rank: 2),
        .init("sqnr_db", "weights", fold: .lowest, rank: 3), .init("output_sqnr_db", "outputs", fold: .lowest),
        .init("guide", "guide", rank: 1),
      ]
        + measures.map {
          .init("effect_\($0.rawValue)", Self.title($0), fold: .highest, rank: 4)
        }
        + [.init("why", "why", rank: 5)],
      order: .init(4, ascending: true), usualCount: 10)
    let protected = protected
    let outcomes = Dictionary(outcomes.map { ($0.name, $0) }, uniquingKeysWith: { a, _ in a })
    let places = Dictionary(
      (budget?.tensors ?? []).enumerated().map { ($0.element.name, $0.offset) }, uniquingKeysWith: { a, _ in a })
    for tensor in plan.archive.index.tensors {
      let name = tensor.info.name.text
      guard outcomes[name] != nil || places[name] != nil else { continue }
      let (outcome, place) = (outcomes[name], places[name])
      let stored = tensor.planes.reduce(0) { $0 + $1.byteCount }
      table.add(
        [
          .name(name), .text(plan.archive.index.encodings[tensor.encoding].name),
          .number(8 * Double(stored) / Double(max(1, tensor.info.elementCount)), places: 2),
          outcome.map { .decibels($0.weightDecibels) } ?? .absent,
          outcome?.outputDecibels.map { .decibels($0) } ?? .absent, outcome.map { .text($0.depth.rawValue) } ?? .absent,
        ]
          + measures.map { measure in
            place.flatMap { budget!.option($0).effects[measure] }.map { .error($0) } ?? .absent
          } + [
            .text(
              place.map { budget!.worstMeasure($0).map { "costs most in \($0.rawValue)" } ?? "exact" }
                ?? (protected.contains(name) ? "protected by its role" : "as asked"))
          ])
    }
    return table
  }

  private static func title(_ measure: Measure) -> String {
    switch measure {
    case .divergence: "KL"
    case .weights: "counted"
    default: measure.rawValue
    }
  }

  /// Names of tensors that get no fewer than 8 bits because of their role.
  private var protected: Set<String> {
    Set(
      plan.map.components.flatMap { component in
        component.tensors.filter { plan.map.quantization.level(role: $0.role, component: component.name) == .int8 }
          .map(\.name.text)
      })
  }
}
