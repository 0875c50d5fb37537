import Documents
import Exports
import JSONText
import Tensors

/// An export, planned or done, for people and programs.
public struct ExportReport {
  private let plan: ExportPlan
  private let output: String
  private let seconds: Double?

  /// - Parameter seconds: what it took; nil of one that is only planned.
  public init(_ plan: ExportPlan, _ output: String, seconds: Double? = nil) {
    self.plan = plan
    self.output = output
    self.seconds = seconds
  }

  public var document: Document {
    var document = Document(schema: "bantam.export.2")
    document.fact("source", "source", .text(plan.source.path))
    document.fact("output", "output", .text(output))
    document.fact("format", "format", .text(plan.format))
    document.fact("family", "family", .text(plan.map.family))
    document.fact("release", "release", plan.map.release.map { .text($0) } ?? .absent)
    document.fact("input_bytes", "reads", .bytes(plan.inputByteCount))
    document.data("output_bytes", .int(plan.outputByteCount))
    document.fact(
      nil, "writes", .text("\(Quantity.bytes(plan.outputByteCount)) (\(plan.outputByteCount) bytes)"))
    document.fact("seconds", "time", seconds.map { .seconds($0) } ?? .absent)
    document.data("notes", .array(plan.notes.map { .string($0) }))
    document.add(fileTable)
    document.add(typeTable)
    document.data(
      "tensors",
      .array(
        plan.files.flatMap { file in
          file.tensors.map { tensor in
            .members([
              "name": .string(tensor.name.text), "type": .string(tensor.type),
              "shape": .array(tensor.shape.map { .int($0) }), "file": .string(file.path), "offset": .int(tensor.offset),
              "bytes": .int(tensor.byteCount),
            ])
          }
        }))
    return document
  }

  private var fileTable: Table {
    var table = Table(
      "files",
      [.init("path", nil), .init(nil, "file"), .init("tensors", "tensors"), .init("bytes", "bytes")], usualCount: 30)
    for file in plan.files {
      table.add([
        .text(file.path), .name(file.path.isEmpty ? Folder.split(output).name : file.path),
        .count(file.tensors.count), .count(file.byteCount),
      ])
    }
    return table
  }

  /// For people alone: programs have every tensor's type.
  private var typeTable: Table {
    var order: [String] = []
    var sums: [String: (count: Int, byteCount: Int)] = [:]
    for tensor in plan.tensors {
      if sums[tensor.type] == nil { order.append(tensor.type) }
      sums[tensor.type, default: (0, 0)].count += 1
      sums[tensor.type]!.byteCount += tensor.byteCount
    }
    var table = Table(nil, [.init(nil, "type"), .init(nil, "tensors"), .init(nil, "bytes")])
    for type in order { table.add([.text(type), .count(sums[type]!.count), .count(sums[type]!.byteCount)]) }
    return table
  }
}
