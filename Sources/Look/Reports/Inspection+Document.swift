import BantamArchive
import Documents
import JSONText
import ModelSources

extension Inspection {
  /// Components and tensors. People see the tensors folded by layer, or as a tree of names.
  /// - Parameter digests: by number; of the tensors listed where they are asked for.
  public func document(isTree: Bool = false, digests: [Int: TensorDigests]? = nil) -> Document {
    var document = Document(schema: "bantam.inspect.2")
    document.fact("path", "source", .text(source.path))
    document.fact("family", "family", .text(map.family))
    document.fact("release", "release", map.release.map { .text($0) } ?? .absent)
    document.data("kind", source.archive == nil ? "checkpoint" : "bantam")
    document.data("formats", .array((source.checkpoint?.formats ?? [".bantam"]).map { .string($0) }))
    document.fact(nil, "format", .text(formats))
    document.fact(nil, "size", .bytes(tensors.reduce(0) { $0 + $1.storedByteCount }))
    document.fact(nil, "parameters", .parameters(tensors.reduce(0) { $0 + $1.info.elementCount }))
    document.fact(nil, "tensors", .count(tensors.count))
    document.data("notes", .array(notes.map { .string($0) }))
    document.add(componentTable)
    if components.contains(where: { !$0.isDefault }) {
      document.note("* left out of a conversion unless it is named")
    }
    document.data(
      "files", .array(source.files.map { .members(["path": .string($0.path), "bytes": .int($0.byteCount)]) }))
    document.data("metadata", metadata)
    if isTree {
      document.add(NameTree(self).table)
      document.data("tensors", tensorTable(digests).json)
    } else {
      document.add(tensorTable(digests))
    }
    return document
  }

  /// What the files are, in words.
  private var formats: String {
    if let archive = source.archive {
      let block = archive.superblock
      return "native file, generation \(block.generation), \(block.fileByteCount) bytes, "
        + "index \(block.index.digest.description.prefix(16))"
    }
    let count = source.files.count
    return (source.checkpoint?.formats ?? []).joined(separator: ", ") + ", \(count) \(count == 1 ? "file" : "files")"
  }

  private var componentTable: Table {
    var table = Table(
      "components",
      [
        .init("name", nil), .init(nil, "component"), .init("default", nil), .init("tensors", "tensors", rank: 2),
        .init("parameters", "parameters"), .init("bytes", "bytes"), .init("bits_per_weight", "bits/w"),
        .init(nil, "dtype", rank: 1), .init(nil, "encoding"),
      ])
    for component in components {
      table.add([
        .text(component.name), .name(component.name + (component.isDefault ? "" : " *")), .flag(component.isDefault),
        .count(component.tensors.count), .parameters(component.parameterCount), .bytes(component.storedByteCount),
        .bitsPerWeight(bytes: component.storedByteCount, parameters: component.parameterCount),
        .text(component.dtypes), .text(component.encodings),
      ])
    }
    return table
  }

  private func tensorTable(_ digests: [Int: TensorDigests]?) -> Table {
    let tensors = tensors
    var table = Table(
      "tensors",
      [
        .init("name", "tensor"), .init(nil, "count", fold: .count, rank: 2), .init("component", nil),
        .init("role", nil), .init("dtype", "dtype"), .init("shape", "shape", rank: 1),
        .init("encoding", "encoding", rank: 3),
        .init("bytes", "bytes", fold: .sum), .init("source_name", nil), .init("sha256", nil),
        .init("stored_sha256", nil),
      ].filter { digests != nil || !($0.key?.hasSuffix("sha256") ?? false) },
      folding: .init(by: 0) { tensors[$0].info.dtype.name + tensors[$0].info.shapeText + tensors[$0].encoding })
    for tensor in tensors {
      let origin = source.archive?.index.tensors[tensor.number].source
      let own = digests.map { [$0[tensor.number]?.plain, $0[tensor.number]?.stored] } ?? []
      table.add(
        [
          .name(tensor.name.text), .absent, .text(tensor.component), .text(tensor.role), .text(tensor.info.dtype.name),
          .shape(tensor.info.shape), .text(tensor.encoding), .bytes(tensor.storedByteCount),
          .text((origin?.name ?? source.tensors[tensor.number].sourceName).text),
        ] + own.map { $0.map { .text($0.description) } ?? .absent })
    }
    return table
  }
}
