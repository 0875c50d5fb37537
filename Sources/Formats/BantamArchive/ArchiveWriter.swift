import Kernels
import Synchronization
import Tensors

/// Writes a `.bantam` file after a plan: planes in any order and from any thread, then the tables, then the commit.
public final class ArchiveWriter: Sendable {
  public let plan: ArchivePlan
  private let output: AtomicOutputFile
  private let index: Mutex<ArchiveIndex>

  /// Creates the partial file and makes room for all of it.
  /// - Throws: ``FileError``.
  public init(path: String, plan: ArchivePlan) throws(FileError) {
    self.plan = plan
    index = Mutex(plan.index)
    output = try AtomicOutputFile(path: path)
    do { try output.reserve(byteCount: plan.fileByteCount) } catch {
      output.discard()
      throw error
    }
  }

  /// A stream into one plane.
  public func sink(tensor: Int, plane: Int) -> PlaneSink {
    PlaneSink(
      output: output, plane: plan.index.tensors[tensor].planes[plane], grain: plan.geometry.chunkByteCount)
  }

  /// Records what was found while a tensor was written.
  public func record(
    tensor: Int, planes: [PlaneSink], sourceDigest: Digest?, statistics: ArchiveIndex.Statistics?,
    quality: ArchiveIndex.Quality? = nil
  ) {
    index.withLock { index in
      for (number, sink) in planes.enumerated() { index.tensors[tensor].planes[number].sums = sink.finish() }
      if let sourceDigest { index.tensors[tensor].source?.digest = sourceDigest }
      if index.tensors[tensor].statistics != nil, let statistics { index.tensors[tensor].statistics = statistics }
      if index.tensors[tensor].quality != nil, let quality { index.tensors[tensor].quality = quality }
    }
  }

  /// Writes carried files, index, metadata and superblocks, and gives the file its name.
  public func commit() throws(FileError) {
    var index = index.withLock { $0 }
    for (number, bytes) in plan.blobBytes.enumerated() {
      let grain = plan.geometry.chunkByteCount
      index.blobs[number].sums = stride(from: 0, to: bytes.count, by: grain).map {
        CRC32C.of(Array(bytes[$0..<min($0 + grain, bytes.count)]))
      }
      try output.write(bytes, at: index.blobs[number].offset)
    }
    let indexBytes = index.encoded()
    precondition(indexBytes.count == plan.indexByteCount, "the index changed its size while the payload was written")
    let superblock = Superblock(
      generation: 1, fileByteCount: plan.fileByteCount,
      index: .init(offset: plan.indexOffset, byteCount: indexBytes.count, digest: SHA256.of(indexBytes)),
      metadata: .init(
        offset: plan.metadataOffset, byteCount: plan.metadataBytes.count, digest: SHA256.of(plan.metadataBytes)),
      geometry: plan.geometry)
    try output.write(indexBytes, at: plan.indexOffset)
    try output.write(plan.metadataBytes, at: plan.metadataOffset)
    try output.write(superblock.encoded(), at: 0)
    try output.write(superblock.encoded(), at: Superblock.byteCount)
    try output.commit(byteCount: plan.fileByteCount)
  }

  /// Removes what was written. Nothing happens after a commit.
  public func discard() { output.discard() }
}

/// Takes the bytes of one plane in order, from one thread, and sums its chunks.
public final class PlaneSink {
  private let output: AtomicOutputFile
  private let plane: ArchiveIndex.Plane
  private let grain: Int
  private var position = 0
  private var chunk = CRC32C()
  private var sums: [UInt32] = []
  private var startedWriting = 0

  init(output: AtomicOutputFile, plane: ArchiveIndex.Plane, grain: Int) {
    self.output = output
    self.plane = plane
    self.grain = grain
  }

  /// Appends bytes.
  public func append(_ bytes: UnsafeRawBufferPointer) throws(FileError) {
    precondition(position + bytes.count <= plane.byteCount, "more bytes than the plan gave the plane")
    var done = 0
    while done < bytes.count {
      let length = min(bytes.count - done, grain - position % grain)
      let piece = UnsafeRawBufferPointer(rebasing: bytes[done..<done + length])
      chunk.update(piece)
      position += length
      done += length
      if position % grain == 0 { closeChunk() }
    }
    let offset = plane.offset + position - bytes.count
    try output.write(bytes, at: offset)
    // The disk begins early, so that the sync at the end is short.
    if position - startedWriting >= 32 << 20 || position == plane.byteCount && position - startedWriting >= 1 << 20 {
      output.startWriting(offset: plane.offset + startedWriting, count: position - startedWriting)
      startedWriting = position
    }
  }

  private func closeChunk() {
    sums.append(chunk.value)
    chunk = CRC32C()
  }

  fileprivate func finish() -> [UInt32] {
    precondition(position == plane.byteCount, "fewer bytes than the plan gave the plane")
    if position % grain != 0 { closeChunk() }
    return sums
  }
}
