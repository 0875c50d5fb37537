import BantamArchive
import Checkpoints
import Kernels
import ModelSources
import Synchronization
import Tensors

/// Compares a `.bantam` file with the source it claims to come from.
public enum SourceComparison {
  /// - Returns: tensors whose source bytes differ from the recorded digest, are missing from the source, whose stored plain bytes
  ///   differ from the source, or whose loss is not the recorded one; empty when all is as it is stated.
  public static func findings(
    _ archive: Archive, source: ModelSource, resources: Resources
  ) throws -> [ArchiveVerifier.Finding] {
    var numbers: [String: [TensorName: Int]] = [:]
    for (number, tensor) in source.tensors.enumerated() {
      // A .bantam source says where its own tensors came from.
      if let other = source.archive {
        guard let origin = other.index.tensors[number].source else { continue }
        numbers[other.index.sourceFiles[origin.file].path, default: [:]][origin.name] = number
      } else {
        numbers[tensor.file, default: [:]][tensor.info.name] = number
      }
    }
    let sourceNumbers = numbers
    let found = Mutex<[ArchiveVerifier.Finding]>([])
    let buffers = try (0..<resources.threadCount).map { _ in try StreamBuffers() }
    let stored = ModelSource(archive)
    try Workers.run(threadCount: resources.threadCount, itemCount: archive.index.tensors.count) { worker, item in
      let tensor = archive.index.tensors[item]
      func report(_ problem: String) {
        found.withLock {
          $0.append(
            .init(
              name: tensor.info.name.text, offset: archive.owner(of: item).planes.first?.offset ?? 0,
              byteCount: tensor.info.byteCount, problem: problem))
        }
      }
      guard let origin = tensor.source else { return report("has no recorded source") }
      let file = archive.index.sourceFiles[origin.file].path
      guard let number = sourceNumbers[file]?[origin.name] else {
        return report("is not in the source: no '\(origin.name)' in \(file)")
      }
      let info = source.tensors[number].info
      if let other = source.archive, other.encoding(of: number) != .plain || info.dtype != origin.dtype {
        // Its values are no longer those of the origin; what both record of it can be compared.
        if other.index.tensors[number].source?.digest != origin.digest { report("was made from other bytes") }
        return
      }
      guard info.dtype == origin.dtype, info.shape == tensor.info.shape else {
        return report("differs from the source in dtype or shape")
      }
      let hash = SHA256()
      var isEqual = true
      var offset = 0
      let isPlain = archive.isExact(item)
      try source.stream(number, through: buffers[worker].source, cancellation: resources.cancellation) { bytes in
        hash.update(bytes)
        if isPlain && isEqual {
          let other = UnsafeMutableRawBufferPointer(rebasing: buffers[worker].target.bytes[..<bytes.count])
          do {
            try stored.read(item, at: offset, into: other)
            isEqual = bytes.elementsEqual(other)
          } catch ArchiveError.chunkDamaged {
            // The payload check reports it.
          }
        }
        offset += bytes.count
        resources.progress(bytes.count)
      }
      if hash.finish() != origin.digest { report("the source's bytes are not those that were converted") }
      if !isEqual { report("stored bytes differ from the source's") }
      // Of what a file says to have lost, nobody need be believed.
      if let quality = tensor.quality, archive.encoding(of: item) != .plain, info.dtype.isReal,
        DecodedFrom.encoding(in: quality.method) == nil, tensor.statistics?.nonfiniteCount == 0,
        try !holds(quality, stored, item, source, number, resources)
      {
        report("its recorded error is not the one that it has")
      }
    }
    try source.checkUnchanged()
    return found.withLock { $0 }.sorted { ($0.offset, $0.name) < ($1.offset, $1.name) }
  }

  /// Whether a tensor's difference from its source is the one that is recorded.
  private static func holds(
    _ quality: ArchiveIndex.Quality, _ stored: ModelSource, _ item: Int, _ source: ModelSource, _ number: Int,
    _ resources: Resources
  ) throws -> Bool {
    let values = try TensorComparison.difference(source, number, stored, item, resources).values
    // Sums of many squares in another order: far from what any other tensor would give.
    func isClose(_ a: Double, _ b: Double) -> Bool { a == b || abs(a - b) <= 1e-6 * max(abs(a), abs(b)) }
    return isClose(values.sqnrDecibels, quality.sqnrDecibels)
      && isClose(values.largestError, quality.maximumAbsoluteError) && isClose(values.cosine, quality.cosine)
  }
}
