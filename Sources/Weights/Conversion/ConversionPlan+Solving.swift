import Encodings
import InputStatistics
import JSONText
import Kernels
import ModelSources
import Synchronization
import Tensors

/// Solving some tensors of a plan ahead of the rest: by a model that runs as it is quantized.
extension ConversionPlan {
  /// Bytes that guides of matrices which are solved at once may take together.
  private static let guideLimit = 3 << 30

  /// Tensors that are quantized and that something is multiplied with, in the order of the file.
  public var matrixNames: [String] { quantizedNames { !isTable($0) } }

  /// Tensors that are quantized and that rows are looked up in alone: no data guides them.
  public var tableNames: [String] { quantizedNames(where: isTable) }

  private func quantizedNames(where isMeant: (Int) -> Bool) -> [String] {
    encodings.indices.compactMap { item in
      let tensor = archive.index.tensors[item]
      return encodings[item] != nil && !tensor.planes.isEmpty && isMeant(item) ? tensor.info.name.text : nil
    }
  }

  /// Whether a tensor is an embedding beside a head, of its own or a copy, whose name runs know: without one, logits are made with it.
  func isTable(_ item: Int) -> Bool {
    let tensors = archive.index.tensors
    return tensors[item].role == "embedding" && tensors.contains { $0.role == "head" }
  }

  /// - Throws: ``FileError/noRoom(path:needed:free:)`` where the disk lacks room for the output beside all that is solved before it.
  public func requireRoom(for solved: SolvedTensors, output: String) throws(FileError) {
    let beside = archive.index.tensors.indices.reduce(0) { sum, item in
      let tensor = archive.index.tensors[item]
      return encodings[item] == nil || solved.has(tensor.info.name.text)
        ? sum : sum + tensor.planes.reduce(0) { $0 + $1.byteCount }
    }
    try DiskSpace.require(outputByteCount + beside, in: Folder.split(output).folder, for: output)
  }

  /// What decides what its tensors become, beside data: the source's files with their sizes and times, what is carried along, the
  /// encodings, and the library that factors moments.
  public var identity: JSONValue {
    let hash = SHA256()
    for (item, encoding) in encodings.enumerated() {
      let info = archive.index.tensors[item].info
      let origin = source.tensors[sourceNumbers[item]].info
      hash.update(
        "\(info.name.text)\n\(origin.shape) \(origin.dtype.name) \(encoding?.name ?? "")\n")
    }
    for stamp in source.stamps { hash.update(stamp + "\n") }
    for bytes in archive.carriedBytes { bytes.withUnsafeBytes { hash.update($0) } }
    hash.update(OpenBLAS.shared?.coreName ?? "")
    return .string(hash.finish().description)
  }

  /// Solves tensors, guided by what the sums say of them, as many at once as memory allows. Those that were solved already stay.
  public func solve(_ names: [String], with sums: any InputSums, into solved: SolvedTensors) throws {
    let share = Self.guideLimit / resources.threadCount
    let items = Dictionary(grouping: numbers(of: names)) { item in
      sums.guideByteCount(item.name, rows: item.encoding.grain.rows) <= share
    }
    for (items, threadCount) in [(items[true] ?? [], resources.threadCount), (items[false] ?? [], 1)] {
      let buffers = try (0..<threadCount).map { _ in try StreamBuffers() }
      try Workers.run(threadCount: threadCount, itemCount: items.count) { worker, place in
        let (item, name, encoding) = items[place]
        guard solved.find(name, encoding) == nil else { return }
        _ = try TensorQuantizer(plan: self, item: item, encoding: encoding).keep(sums, in: solved, buffers[worker])
      }
    }
  }

  /// Tensors that were solved, as a model can run them.
  /// - Returns: by name; without those that are not there as they were written.
  public func trials(_ names: [String], in solved: SolvedTensors) -> [String: TrialEncoding] {
    var trials: [String: TrialEncoding] = [:]
    for (item, name, encoding) in numbers(of: names) {
      guard let found = solved.find(name, encoding),
        let shape = encoding.shape(forWriting: archive.index.tensors[item].info),
        let planes = found.planes(shape, encoding)
      else { continue }
      trials[name] = TrialEncoding(
        EncodedMatrix(encoding, shape, planes: planes), in: found.file, relativeError: found.record.relativeError)
    }
    return trials
  }

  private func numbers(of names: [String]) -> [(item: Int, name: String, encoding: any Encoding)] {
    let wanted = Set(names)
    return encodings.indices.compactMap { item in
      let name = archive.index.tensors[item].info.name.text
      guard let encoding = encodings[item], wanted.contains(name) else { return nil }
      return (item, name, encoding)
    }
  }
}
