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
        add(tensor.info.name.text, plane.offset, plane.byteCount, plane.sums, Self.facts(archive, number, plane))
      }
    }
    for blob in archive.index.blobs {
      add(
        "file \(blob.name)", blob.offset, blob.byteCount, blob.sums,
        Facts(digest: blob.digest, problem: "its SHA-256 is not the recorded one", statistics: nil))
    }
    self.runs = runs.sorted { $0.offset < $1.offset }
  }

  /// What the bytes of a plane must be: those of the source, where a tensor is stored exactly and row by row.
  private static func facts(_ archive: Archive, _ number: Int, _ plane: ArchiveIndex.Plane) -> Facts? {
    let tensor = archive.index.tensors[number]
    guard archive.isExact(number), let source = tensor.source, case .rowMajor = archive.index.layouts[plane.layout],
      plane.byteCount == tensor.info.byteCount
    else { return nil }
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
      try archive.file.read(at: run.offset + offset, into: part)
      for start in stride(from: 0, to: part.count, by: grain) {
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
      progress(part.count)
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
