import JSONText
import ModelSources
import Tensors

/// Everything about several tensors, in the order in which they were given.
public struct TensorReport: Presentation {
  private let path: String
  private let details: [TensorDetails]

  public init(_ inspection: Inspection, _ tensors: [Inspection.Tensor], resources: Resources) throws {
    path = inspection.source.path
    let storages = SharedStorages(inspection.source)
    details = try tensors.map { try TensorDetails(inspection, $0, storages: storages, resources) }
  }

  /// The details, an empty line between them.
  public var lines: [String] { Array(details.map(\.lines).joined(separator: [""])) }

  public var json: JSONValue {
    .members([
      "schema": "bantam.tensors.1", "path": .string(path), "tensors": .array(details.map(\.json)),
    ])
  }
}
