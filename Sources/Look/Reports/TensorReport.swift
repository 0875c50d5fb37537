import Documents
import JSONText
import ModelSources

/// Everything about several tensors, in the order in which they were given.
public struct TensorReport: Sendable {
  private let path: String
  private let details: [TensorDetails]

  public init(_ inspection: Inspection, _ tensors: [Inspection.Tensor], resources: Resources) throws {
    path = inspection.source.path
    let storages = SharedStorages(inspection.source)
    details = try tensors.map { try TensorDetails(inspection, $0, storages: storages, resources) }
  }

  public var document: Document {
    var document = Document(schema: "bantam.tensors.2")
    document.data("path", .string(path))
    document.data("tensors", .array(details.map(\.json)))
    for tensor in details {
      if details.count > 1 { document.head(tensor.name.text) }
      tensor.add(to: &document)
    }
    return document
  }
}
