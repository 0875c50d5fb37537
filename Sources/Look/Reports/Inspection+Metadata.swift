import BantamArchive
import Documents
import JSONText
import ModelSources
import Tensors

extension Inspection {
  /// As `inspect` and ``metadataDocument`` have it: of a native file its own object, else `{file: {key: value}}`, values as text.
  var metadata: JSONValue {
    source.archive?.metadata
      ?? .object(
        (source.checkpoint?.files ?? []).filter { !$0.metadata.isEmpty }.map { file in
          .init(file.relativePath, .object(file.metadata.map { .init(String(utf8: $0.key), .string($0.value)) }))
        })
  }

  /// What the files say about themselves: keys and values, file by file.
  public var metadataDocument: Document {
    if let archive = source.archive { return archive.metadataDocument }
    var document = Document(schema: Archive.metadataSchema)
    document.fact("path", "source", .text(source.path))
    document.data("metadata", metadata)
    for file in source.checkpoint?.files ?? [] {
      document.head("\(file.relativePath)  \(file.format)")
      guard !file.metadata.isEmpty else {
        document.note("says nothing about itself")
        continue
      }
      document.add(metadataTable(file.metadata.map { (String(utf8: $0.key), .string($0.value)) }))
    }
    return document
  }
}

extension Archive {
  static let metadataSchema = "bantam.metadata.1"

  /// What a native file says about itself.
  public var metadataDocument: Document {
    var document = Document(schema: Self.metadataSchema)
    document.fact("path", "source", .text(path))
    document.data("metadata", metadata)
    document.add(metadataTable(metadata.leaves()))
    return document
  }
}

private func metadataTable(_ items: [(key: String, value: JSONValue)]) -> Table {
  var table = Table(nil, [.init(nil, "key"), .init(nil, "value")])
  for item in items { table.add([.name(item.key), .text(item.value.string ?? item.value.text())]) }
  return table
}

extension JSONValue {
  /// The values of nested objects under dotted keys.
  fileprivate func leaves(under prefix: String = "") -> [(key: String, value: JSONValue)] {
    guard let members = object, !members.isEmpty else { return prefix.isEmpty ? [] : [(prefix, self)] }
    return members.flatMap { $0.value.leaves(under: prefix.isEmpty ? $0.key : prefix + "." + $0.key) }
  }
}
