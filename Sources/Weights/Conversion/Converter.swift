import BantamArchive
import Encodings
import Kernels
import ModelSources
import Synchronization
import Tensors

/// Carries out a conversion plan: tensors stream through small buffers on all threads.
///
/// Memory does not depend on the model's size, and the output's bytes do not depend on the number of threads.
public enum Converter {
  /// Writes the planned file. The path bears the old content, or none, until the new one is whole.
  /// - Returns: what data did to each quantized tensor, in order.
  /// - Throws: ``FileError``, ``ConversionError``, or what reading the source throws.
  @discardableResult
  public static func run(_ plan: ConversionPlan, to path: String) throws -> [TensorOutcome] {
    let resources = plan.resources
    let writer = try ArchiveWriter(path: path, plan: plan.archive)
    do {
      let outcomes = Mutex<[Int: TensorOutcome]>([:])
      let buffers = try (0..<resources.threadCount).map { _ in try StreamBuffers() }
      try Workers.run(threadCount: resources.threadCount, itemCount: plan.sourceNumbers.count) { worker, item in
        if let encoding = plan.encodings[item], !plan.archive.index.tensors[item].planes.isEmpty {
          let outcome = try TensorQuantizer(plan: plan, item: item, encoding: encoding).run(writer, buffers[worker])
          outcomes.withLock { $0[item] = outcome }
        } else {
          try convert(item, plan, writer, buffers[worker])
        }
      }
      try resources.cancellation.check()
      try plan.source.checkUnchanged()
      try writer.commit()
      return outcomes.withLock { $0.sorted { $0.key < $1.key }.map(\.value) }
    } catch {
      writer.discard()
      throw error
    }
  }

  /// One tensor: read, hashed, measured, cast and written piece by piece while it is in the cache.
  private static func convert(
    _ item: Int, _ plan: ConversionPlan, _ writer: ArchiveWriter, _ buffers: StreamBuffers
  ) throws {
    let number = plan.sourceNumbers[item]
    let target = plan.archive.index.tensors[item]
    let sourceType = plan.source.tensors[number].info.dtype
    let targetType = target.info.dtype
    var statistics = ValueStatistics()
    let hash = SHA256()
    let sink = target.planes.isEmpty ? nil : writer.sink(tensor: item, plane: 0)
    let tiler = target.planes.first.flatMap { Tiler(plan.archive.index.layouts[$0.layout], info: target.info) }
    try plan.source.stream(
      number, through: buffers.source, cancellation: plan.resources.cancellation
    ) { bytes in
      hash.update(bytes)
      statistics.add(bytes, dtype: sourceType)
      if let sink {
        let stored = buffers.cast(bytes, from: sourceType, to: targetType)
        if let tiler { try tiler.append(stored, to: sink) } else { try sink.append(stored) }
      }
      plan.resources.progress(bytes.count)
    }
    // A .bantam source says what its own source was.
    let isOriginal = plan.source.archive == nil
    writer.record(
      tensor: item, planes: sink.map { [$0] } ?? [], sourceDigest: isOriginal ? hash.finish() : nil,
      statistics: ValueStatistics.isSupported(sourceType) ? .init(statistics) : nil,
      quality: plan.decodedQuality(item))
  }
}

/// Turns a stream of row-major bytes into the tiles of a layout, one row of tiles at a time.
private final class Tiler {
  private let tile: TileLayout
  private let shape: MatrixShape
  private var plain: [UInt8] = []
  private var row = 0

  init?(_ layout: PlaneLayout, info: TensorInfo) {
    guard case .tiled(let tile) = layout else { return nil }
    self.tile = tile
    shape = info.matrix
  }

  func append(_ bytes: UnsafeRawBufferPointer, to sink: PlaneSink) throws(FileError) {
    plain.append(contentsOf: bytes)
    while row < shape.rows {
      let count = min(tile.tileRows, shape.rows - row)
      let byteCount = count * shape.columns * tile.elementBits / 8
      guard plain.count >= byteCount else { return }
      let stripe = try AlignedBuffer(byteCount: tile.tilesAcross(columns: shape.columns) * tile.tileByteCount)
      stripe.bytes.initializeMemory(as: UInt8.self, repeating: 0)
      plain.withUnsafeMutableBytes { buffer in
        tile.copy(rowRange: 0..<count, shape: shape, plane: stripe.bytes, plain: buffer, toPlain: false)
      }
      try sink.append(UnsafeRawBufferPointer(stripe.bytes))
      plain.removeFirst(byteCount)
      row += count
    }
  }
}
