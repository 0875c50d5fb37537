import Documents
import Conversion
import JSONText
import Tensors

/// A conversion plan for people and programs.
public struct PlanReport: Presentation {
  private let plan: ConversionPlan
  private let output: String
  private let seconds: Double?

  public init(_ plan: ConversionPlan, _ output: String, seconds: Double? = nil) {
    self.plan = plan
    self.output = output
    self.seconds = seconds
  }

  /// The result in one line.
  public var line: String {
    "\(output)  \(plan.archive.index.tensors.count) tensors  \(Quantity.bytes(plan.outputByteCount))"
  }

  /// The plan: a line a component, sizes, memory.
  public var lines: [String] {
    var table = TextTable([
      ("component", .left), ("tensors", .right), ("quantized", .right), ("parameters", .right), ("stored", .right),
      ("bits/w", .right),
    ])
    for (number, component) in plan.archive.index.components.enumerated() {
      let tensors = plan.archive.index.tensors[component.tensorRange]
      let parameters = tensors.reduce(0) { $0 + $1.info.elementCount }
      let stored = plan.archive.storedByteCount(component: number)
      table.add([
        component.name, "\(tensors.count)", "\(tensors.count { plan.archive.index.encodings[$0.encoding] != .plain })",
        Quantity.parameters(parameters), Quantity.bytes(stored),
        parameters > 0 ? Quantity.fixed(8 * Double(stored) / Double(parameters), 2) : "-",
      ])
    }
    var lines = [
      "plan: \(plan.source.path) -> \(output)  family \(plan.map.family)"
        + (plan.map.release.map { " (\($0))" } ?? "")
    ]
    lines += table.lines
    if !plan.leftOut.isEmpty {
      lines.append(
        "left out: "
          + plan.leftOut.map { component in
            let bytes = component.tensors.reduce(0) { $0 + plan.source.tensors[$1.number].info.byteCount }
            return "\(component.name) (\(Quantity.bytes(bytes)))"
          }.joined(separator: ", "))
    }
    lines.append(
      "reads \(Quantity.bytes(plan.inputByteCount)), writes \(plan.outputByteCount) bytes (\(Quantity.bytes(plan.outputByteCount)))"
    )
    lines.append(
      "peak memory about \(Quantity.bytes(plan.peakMemoryByteCount)) on \(plan.resources.threadCount) threads")
    return lines
  }

  public var json: JSONValue {
    .members([
      "schema": "bantam.convert.1", "source": .string(plan.source.path), "output": .string(output),
      "family": .string(plan.map.family), "release": plan.map.release.map { .string($0) } ?? .null,
      "input_bytes": .int(plan.inputByteCount), "output_bytes": .int(plan.outputByteCount),
      "peak_memory_bytes": .int(plan.peakMemoryByteCount), "threads": .int(plan.resources.threadCount),
      "seconds": seconds.map { .double($0) } ?? .null,
      "left_out": .array(plan.leftOut.map { .string($0.name) }),
      "components": .array(
        plan.archive.index.components.enumerated().map { number, component in
          .members([
            "name": .string(component.name), "tensors": .int(component.tensorRange.count),
            "bytes": .int(plan.archive.storedByteCount(component: number)),
          ])
        }),
      "tensors": .array(
        plan.archive.index.tensors.map { tensor in
          .members([
            "name": .string(tensor.info.name.text), "dtype": .string(tensor.info.dtype.name),
            "shape": .array(tensor.info.shape.map { .int($0) }),
            "encoding": .string(plan.archive.index.encodings[tensor.encoding].name),
            "bytes": .int(tensor.planes.reduce(0) { $0 + $1.byteCount }),
          ])
        }),
    ])
  }
}
