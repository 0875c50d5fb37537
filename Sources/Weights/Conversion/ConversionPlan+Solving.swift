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

  /// Tensors that are quantized in a way that data can guide, in the order of the file.
  public var guidedNames: [String] {
    encodings.indices.compactMap { item in
      let tensor = archive.index.tensors[item]
      return encodings[item]?.solver?.takesGuide == true && !tensor.planes.isEmpty ? tensor.info.name.text : nil
    }
  }

  /// What decides what its tensors become, beside the values of the source and data.
  public var identity: JSONValue {
    let hash = SHA256()
    for (item, encoding) in encodings.enumerated() {
      let info = archive.index.tensors[item].info
      let origin = source.tensors[sourceNumbers[item]].info
      hash.update(
        "\(info.name.text)\n\(origin.shape) \(origin.dtype.name) \(encoding?.name ?? "")\n")
    }
    return .string(hash.finish().description)
  }

  /// Solves tensors, guided by sums, several at once as far as memory allows. Those that were solved already stay.
  public func solve(_ names: [String], with sums: any InputSums, into solved: SolvedTensors) throws {
    let items = numbers(of: names)
    let most = items.reduce(1) { most, found in
      max(most, sums.guideByteCount(found.name, rows: found.encoding.grain.rows))
    }
    let threadCount = max(1, min(resources.threadCount, Self.guideLimit / most))
    let buffers = try (0..<threadCount).map { _ in try StreamBuffers() }
    try Workers.run(threadCount: threadCount, itemCount: items.count) { worker, place in
      let (item, name, encoding) = items[place]
      guard solved.find(name, encoding) == nil else { return }
      _ = try TensorQuantizer(plan: self, item: item, encoding: encoding).keep(sums, in: solved, buffers[worker])
    }
  }

  /// Tensors that were solved, as a model can run them.
  /// - Returns: by name; without those whose bytes are not there.
  public func trials(_ names: [String], in solved: SolvedTensors) -> [String: TrialEncoding] {
    var trials: [String: TrialEncoding] = [:]
    for (item, name, encoding) in numbers(of: names) {
      guard let found = solved.find(name, encoding),
        let shape = encoding.shape(forWriting: archive.index.tensors[item].info),
        let planes = found.planes(shape, encoding)
      else { continue }
      trials[name] = TrialEncoding(
        EncodedMatrix(encoding, shape, planes: planes), owner: found.file, relativeError: found.record.relativeError)
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

extension SHA256 {
  fileprivate func update(_ text: String) { Array(text.utf8).withUnsafeBytes { update($0) } }
}
