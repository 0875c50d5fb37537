import Documents
import Exports
import JSONText
import Tensors

/// An export plan for people and programs.
public struct ExportReport: Presentation {
  private let plan: ExportPlan
  private let output: String
  private let seconds: Double?

  public init(_ plan: ExportPlan, _ output: String, seconds: Double? = nil) {
    self.plan = plan
    self.output = output
    self.seconds = seconds
  }

  /// The result in one line.
  public var line: String {
    "\(output)  \(plan.tensors.count) tensors  \(Quantity.bytes(plan.outputByteCount))"
  }

  /// The plan: a line a file, a line a type, sizes.
  public var lines: [String] {
    var files = TextTable([("file", .left), ("tensors", .right), ("bytes", .right)])
    for file in plan.files {
      let name = file.path.isEmpty ? Folder.split(output).name : file.path
      files.add([name, file.tensors.isEmpty ? "-" : "\(file.tensors.count)", "\(file.byteCount)"])
    }
    var order: [String] = []
    var byType: [String: (count: Int, byteCount: Int)] = [:]
    for tensor in plan.tensors {
      if byType[tensor.type] == nil { order.append(tensor.type) }
      byType[tensor.type, default: (0, 0)].count += 1
      byType[tensor.type]!.byteCount += tensor.byteCount
    }
    var types = TextTable([("type", .left), ("tensors", .right), ("bytes", .right)])
    for type in order { types.add([type, "\(byType[type]!.count)", "\(byType[type]!.byteCount)"]) }
    return [
      "plan: \(plan.source.path) -> \(output)  \(plan.format)  family \(plan.map.family)"
        + (plan.map.release.map { " (\($0))" } ?? "")
    ] + files.lines + types.lines + [
      "reads \(Quantity.bytes(plan.inputByteCount)), writes \(plan.outputByteCount) bytes "
        + "(\(Quantity.bytes(plan.outputByteCount)))"
    ]
  }

  public var json: JSONValue {
    .members([
      "schema": "bantam.export.2", "source": .string(plan.source.path), "output": .string(output),
      "format": .string(plan.format), "family": .string(plan.map.family),
      "release": plan.map.release.map { .string($0) } ?? .null,
      "input_bytes": .int(plan.inputByteCount), "output_bytes": .int(plan.outputByteCount),
      "seconds": seconds.map { .double($0) } ?? .null, "notes": .array(plan.notes.map { .string($0) }),
      "files": .array(
        plan.files.map { .members(["path": .string($0.path), "bytes": .int($0.byteCount)]) }),
      "tensors": .array(
        plan.files.flatMap { file in
          file.tensors.map { tensor in
            .members([
              "name": .string(tensor.name.text), "type": .string(tensor.type),
              "shape": .array(tensor.shape.map { .int($0) }), "file": .string(file.path),
              "offset": .int(tensor.offset), "bytes": .int(tensor.byteCount),
            ])
          }
        }),
    ])
  }
}
