import Kernels
import Synchronization
import Tensors

/// Looks at every byte of planes and carried files, once: checksums of chunks, and what the index says of whole things.
struct PayloadVerifier {
  private typealias Finding = ArchiveVerifier.Finding

  /// What the index states of the plain bytes of something.
  private struct Facts {
    let digest: Digest
    /// What the digest is called where it does not hold.
    let problem: String
    let statistics: (dtype: DType, stated: ArchiveIndex.Statistics)?
  }

  /// A run of chunks that one thread looks at in order.
  private struct Run {
    let name: String
    /// Where it starts in the file.
    let offset: Int
    let byteCount: Int
    let sums: ArraySlice<UInt32>
    /// Of a run that is the whole of something.
    let facts: Facts?
    /// The tensor whose plain values are read, where they do not lie in the file as they are: tiles.
    var tensor: Int?
  }

  private let archive: Archive
  private let grain: Int
  private let runs: [Run]

  init(_ archive: Archive) {
    self.archive = archive
    let grain = archive.superblock.geometry.chunkByteCount
    self.grain = grain
    var runs: [Run] = []
    func add(_ name: String, _ offset: Int, _ byteCount: Int, _ sums: [UInt32], _ facts: Facts?) {
      // What has a digest is read from front to back; other things are shared out.
      let chunkCount = facts == nil ? max(1, (4 << 20) / grain) : max(1, sums.count)
      for first in stride(from: 0, to: max(1, sums.count), by: chunkCount) {
        let last = min(sums.count, first + chunkCount)
        let start = first * grain
        runs.append(
          Run(
            name: name, offset: offset + start, byteCount: min(byteCount, last * grain) - start,
            sums: sums[first..<last], facts: facts))
      }
    }
    for (number, tensor) in archive.index.tensors.enumerated() {
      for plane in tensor.planes {
        var facts: Facts?
        if case .rowMajor = archive.index.layouts[plane.layout] { facts = Self.facts(archive, number) }
        add(tensor.info.name.text, plane.offset, plane.byteCount, plane.sums, facts)
      }
    }
    for (number, tensor) in archive.index.tensors.enumerated() where tensor.planes.count == 1 {
      guard case .tiled = archive.index.layouts[tensor.planes[0].layout], let facts = Self.facts(archive, number) else {
        continue
      }
      runs.append(
        Run(
          name: tensor.info.name.text, offset: tensor.planes[0].offset, byteCount: tensor.info.byteCount, sums: [],
          facts: facts, tensor: number))
    }
    for blob in archive.index.blobs {
      add(
        "file \(blob.name)", blob.offset, blob.byteCount, blob.sums,
        Facts(digest: blob.digest, problem: "its SHA-256 is not the recorded one", statistics: nil))
    }
    self.runs = runs.sorted { $0.offset < $1.offset }
  }

  /// What the values of a tensor that is stored exactly must be: those of the source.
  private static func facts(_ archive: Archive, _ number: Int) -> Facts? {
    let tensor = archive.index.tensors[number]
    guard archive.isExact(number), let source = tensor.source else { return nil }
    return Facts(
      digest: source.digest, problem: "its bytes do not have the recorded SHA-256 of their source",
      statistics: tensor.statistics.map { (source.dtype, $0) })
  }

  func findings(
    threadCount: Int, cancellation: Cancellation, progress: @escaping @Sendable (Int) -> Void
  ) throws -> [ArchiveVerifier.Finding] {
    // A whole number of chunks, and of blocks of statistics.
    let piece = max(grain, 1 << 18)
    let buffers = try (0..<max(1, threadCount)).map { _ in try AlignedBuffer(byteCount: piece) }
    let found = Mutex<[ArchiveVerifier.Finding]>([])
    try Workers.run(threadCount: threadCount, itemCount: runs.count) { worker, item in
      let new = try look(at: runs[item], buffers[worker], cancellation, progress)
      if !new.isEmpty { found.withLock { $0 += new } }
    }
    return found.withLock { $0 }
  }

  /// Fills a buffer from what a run is read from. False where the bytes are damaged, which is told of their plane.
  private func read(_ run: Run, at offset: Int, into part: UnsafeMutableRawBufferPointer) throws -> Bool {
    guard let tensor = run.tensor else {
      try archive.file.read(at: run.offset + offset, into: part)
      return true
    }
    do { try archive.readable(tensor).read(at: offset, into: part) } catch ArchiveError.chunkDamaged { return false }
    return true
  }

  private func look(
    at run: Run, _ buffer: AlignedBuffer, _ cancellation: Cancellation, _ progress: (Int) -> Void
  ) throws -> [ArchiveVerifier.Finding] {
    var findings: [ArchiveVerifier.Finding] = []
    let hash = run.facts.map { _ in SHA256() }
    var statistics = ValueStatistics()
    var sum = run.sums.startIndex
    for offset in stride(from: 0, to: run.byteCount, by: buffer.bytes.count) {
      try cancellation.check()
      let part = UnsafeMutableRawBufferPointer(
        rebasing: buffer.bytes[..<min(buffer.bytes.count, run.byteCount - offset)])
      guard try read(run, at: offset, into: part) else { return [] }
      for start in stride(from: 0, to: run.tensor == nil ? part.count : 0, by: grain) {
        let chunk = UnsafeRawBufferPointer(rebasing: part[start..<min(part.count, start + grain)])
        if CRC32C.of(chunk) != run.sums[sum] {
          findings.append(
            Finding(
              name: run.name, offset: run.offset + offset + start, byteCount: chunk.count,
              problem: "checksum does not hold"))
        }
        sum += 1
      }
      hash?.update(UnsafeRawBufferPointer(part))
      if let (dtype, _) = run.facts?.statistics { statistics.add(UnsafeRawBufferPointer(part), dtype: dtype) }
      if run.tensor == nil { progress(part.count) }
    }
    // Damage that a checksum has shown needs no second word.
    guard findings.isEmpty, let facts = run.facts else { return findings }
    if hash?.finish() != facts.digest {
      findings.append(
        Finding(name: run.name, offset: run.offset, byteCount: run.byteCount, problem: facts.problem))
    } else if let (dtype, stated) = facts.statistics, ValueStatistics.isSupported(dtype),
      !stated.isSame(as: .init(statistics))
    {
      findings.append(
        Finding(
          name: run.name, offset: run.offset, byteCount: run.byteCount,
          problem: "the recorded statistics are not those of its values"))
    }
    return findings
  }
}

extension ArchiveIndex.Statistics {
  /// Whether all numbers have the same bits.
  fileprivate func isSame(as other: Self) -> Bool {
    func bits(_ value: Self) -> [UInt64] { [value.minimum, value.maximum, value.rms].map(\.bitPattern) }
    return bits(self) == bits(other) && zeroCount == other.zeroCount && nonfiniteCount == other.nonfiniteCount
  }
}
