import BantamArchive
import Checkpoints
import JSONText
import ModelSources
import Tensors

/// How a tensor is stored, in words and numbers: what type it has in the file, what type it came from, and where it lies.
struct StoredDescription {
  /// What it has in the file: a dtype, an encoding, a type of blocks; of several parts each once, in their order.
  let dtype: String
  /// What it had in the source that it was made from, where that is known: the same for a source.
  let sourceDType: String?
  /// The runs of another program's file.
  let runs: [JSONValue]

  init(_ source: ModelSource, _ number: Int, _ storages: SharedStorages) {
    if let archive = source.archive {
      let encoding = archive.encoding(of: number)
      let tensor = archive.index.tensors[number]
      dtype = encoding == .plain ? tensor.info.dtype.name : encoding.name
      sourceDType = tensor.source?.dtype.name
      runs = []
    } else {
      let stored = source.storedRuns(number) ?? []
      var names: [String] = []
      for run in stored where !names.contains(run.typeName) { names.append(run.typeName) }
      dtype = names.joined(separator: ", ")
      sourceDType = dtype
      let files = source.files
      runs = stored.map { Self.json($0, file: files[$0.fileIndex].path, storages.others(than: number, at: $0)) }
    }
  }

  private static func json(
    _ run: Checkpoint.StoredRun, file: String, _ others: (count: Int, first: [String])
  ) -> JSONValue {
    var members: [JSONValue.Member] = [
      .init("name", .string(run.name.text)), .init("file", .string(file)), .init("begin", .int(run.offset)),
      .init("end", .int(run.offset + run.byteCount)), .init("dtype", .string(run.typeName)),
    ]
    switch run.form {
    case .plain(_, let shape):
      members.append(.init("shape", .array(shape.map { .int($0) })))
      members.append(.init("arrangement", "contiguous"))
    case .view(let view):
      members += [
        .init("shape", .array(view.strides.shape.map { .int($0) })),
        .init("arrangement", view.strides.isContiguous ? "contiguous" : "strided"),
        .init("strides", .array(view.strides.steps.map { .int($0) })),
        .init("storage_offset", .int(view.storageOffset)),
        .init("storage", [.int(view.storage.lowerBound), .int(view.storage.upperBound)]),
        .init("shared_with_count", .int(others.count)),
        .init("shared_with", .array(others.first.map { .string($0) })),
      ]
    case .blocks(let blocks):
      members += [
        .init("arrangement", "blocks"), .init("rows", .int(blocks.rows)),
        .init("blocks_per_row", .int(blocks.blocksPerRow)), .init("bytes_per_row", .int(blocks.bytesPerRow)),
        .init("elements_per_block", .int(blocks.elementsPerBlock)),
        .init("bytes_per_block", .int(blocks.bytesPerBlock)),
      ]
    case .packed: members.append(.init("arrangement", "packed"))
    }
    return .object(members)
  }
}
