import BantamArchive
import Checkpoints
import Documents
import JSONText
import ModelSources
import Tensors

/// How a tensor is stored, in words and numbers: what type it has in the file, what type it came from, and where it lies.
struct StoredDescription {
  /// What it has in the file: a dtype, an encoding, a type of blocks; of several parts each once, in their order.
  let dtype: String
  /// What it had in the source that it was made from, where that is known: the same for a source.
  let sourceDType: String?
  /// The runs of another program's file; nil of a native one, which has planes.
  let runs: [JSONValue]?
  /// The same for people.
  let sentences: [String]

  init(_ source: ModelSource, _ number: Int, _ storages: SharedStorages) {
    if let archive = source.archive {
      let encoding = archive.encoding(of: number)
      let tensor = archive.index.tensors[number]
      dtype = encoding == .plain ? tensor.info.dtype.name : encoding.name
      sourceDType = tensor.source?.dtype.name
      runs = nil
      sentences = []
    } else {
      let stored = source.storedRuns(number) ?? []
      var names: [String] = []
      for run in stored where !names.contains(run.typeName) { names.append(run.typeName) }
      dtype = names.joined(separator: ", ")
      sourceDType = dtype
      let described = stored.map { run in
        (run: run, file: source.files[run.fileIndex].path, others: storages.others(than: number, at: run))
      }
      runs = described.map { Self.json($0.run, file: $0.file, $0.others) }
      sentences = described.map { Self.sentence($0.run, file: $0.file, $0.others) }
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

  private static func sentence(
    _ run: Checkpoint.StoredRun, file: String, _ others: (count: Int, first: [String])
  ) -> String {
    let place =
      "\(run.name) in \(file), bytes \(Cell.range(run.offset..<run.offset + run.byteCount).text), \(run.typeName) "
    switch run.form {
    case .plain(_, let shape): return place + Cell.shape(shape).text
    case .view(let view):
      let form = view.strides.isContiguous ? "" : ", strides \(view.strides.steps)"
      let first = others.first.joined(separator: ", ") + (others.count > others.first.count ? ", ..." : "")
      return place + Cell.shape(view.strides.shape).text + form
        + ", element \(view.storageOffset) of the storage at bytes \(Cell.range(view.storage).text)"
        + (others.count > 0 ? ", which \(others.count) more look at: \(first)" : "")
    case .blocks(let blocks):
      return place + "in \(blocks.rows) rows of \(blocks.blocksPerRow) blocks, "
        + "\(blocks.elementsPerBlock) elements in \(blocks.bytesPerBlock) bytes"
    case .packed: return place + "packed"
    }
  }
}
