import Conversion
import Documents
import JSONText
import ModelSources
import Tensors

/// A conversion, planned or done, for people and programs.
public struct PlanReport {
  private let plan: ConversionPlan
  private let output: String
  private let seconds: Double?
  private let quality: QualityReport?
  private let outcomes: [TensorOutcome]

  /// - Parameters:
  ///   - seconds: what it took; nil of one that is only planned.
  ///   - quality: what quantization cost.
  ///   - outcomes: what data did to each quantized tensor.
  public init(
    _ plan: ConversionPlan, _ output: String, seconds: Double? = nil, quality: QualityReport? = nil,
    outcomes: [TensorOutcome] = []
  ) {
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
    if !outcomes.isEmpty { document.add(outcomeTable) }
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

  /// What data did, tensors with the worst outputs first.
  private var outcomeTable: Table {
    var table = Table(
      "outcomes",
      [
        .init("name", "tensor"), .init("guide", "guide"), .init("output_sqnr_db", "outputs", fold: .lowest),
      ], order: .init(2, ascending: true), usualCount: 10)
    for outcome in outcomes {
      table.add([
        .name(outcome.name), .text(outcome.depth.rawValue), outcome.outputDecibels.map { .decibels($0) } ?? .absent,
      ])
    }
    return table
  }
}
