import Encodings
import JSONText
import Kernels
import Tensors

/// Everything about a `.bantam` file that is known before its payload: offsets, sizes, the exact length.
public struct ArchivePlan: Sendable {
  /// A tensor to be written.
  public struct Tensor: Sendable {
    public var info: TensorInfo
    public var role: String
    public var encoding: ArchiveIndex.Encoding
    public var planes: [PlaneShape]
    /// Number of the tensor whose planes this one shares; its own planes are then empty.
    public var aliasOf: Int?
    public var source: ArchiveIndex.Source?
    public var hasStatistics: Bool
    /// Name of the method whose errors are recorded, for a tensor that loses something.
    public var method: String?

    public init(
      info: TensorInfo, role: String, encoding: ArchiveIndex.Encoding, planes: [PlaneShape], aliasOf: Int? = nil,
      source: ArchiveIndex.Source?, hasStatistics: Bool, method: String? = nil
    ) {
      self.info = info
      self.role = role
      self.encoding = encoding
      self.planes = planes
      self.aliasOf = aliasOf
      self.source = source
      self.hasStatistics = hasStatistics
      self.method = method
    }
  }

  /// The index with all offsets; digests, sums, statistics and errors are still empty.
  public internal(set) var index = ArchiveIndex()
  let geometry: Superblock.Geometry
  let blobBytes: [[UInt8]]
  let metadataBytes: [UInt8]
  let indexOffset: Int
  let indexByteCount: Int
  let metadataOffset: Int
  /// Length of the finished file.
  public let fileByteCount: Int

  /// - Parameters:
  ///   - components: in the order of their arenas; tensors in execution order.
  ///   - blobs: carried files, by path.
  ///   - metadata: a JSON object about the whole file.
  public init(
    components: [(name: String, tensors: [Tensor])], sourceFiles: [ArchiveIndex.SourceFile],
    blobs: [(name: String, bytes: [UInt8])], metadata: JSONValue, geometry: Superblock.Geometry = .init()
  ) {
    self.geometry = geometry
    index.sourceFiles = sourceFiles
    var position = 2 * Superblock.byteCount
    func chunkSums(_ byteCount: Int) -> [UInt32] {
      [UInt32](repeating: 0, count: (byteCount + geometry.chunkByteCount - 1) / geometry.chunkByteCount)
    }
    var encodings: [ArchiveIndex.Encoding: Int] = [:]
    var layouts: [PlaneLayout: Int] = [:]
    for (name, tensors) in components {
      let first = index.tensors.count
      position = roundUp(position, to: geometry.arenaAlignment)
      let arenaOffset = position
      for tensor in tensors {
        var planes: [ArchiveIndex.Plane] = []
        for plane in tensor.planes {
          let isLarge = plane.byteCount >= geometry.largePlaneByteCount
          position = roundUp(position, to: isLarge ? geometry.largeAlignment : geometry.smallAlignment)
          let layout = layouts[plane.layout] ?? layouts.count
          layouts[plane.layout] = layout
          planes.append(
            ArchiveIndex.Plane(
              kind: plane.kind, layout: layout, offset: position, byteCount: plane.byteCount,
              sums: chunkSums(plane.byteCount)))
          position += plane.byteCount
        }
        let encoding = encodings[tensor.encoding] ?? encodings.count
        encodings[tensor.encoding] = encoding
        index.tensors.append(
          ArchiveIndex.Tensor(
            info: tensor.info, role: tensor.role, component: index.components.count, encoding: encoding,
            planes: planes, aliasOf: tensor.aliasOf, source: tensor.source,
            statistics: tensor.hasStatistics ? .init(ValueStatistics()) : nil,
            quality: tensor.method.map {
              .init(method: $0, sqnrDecibels: 0, maximumAbsoluteError: 0, cosine: 0)
            }))
      }
      position += geometry.guardByteCount
      index.components.append(
        ArchiveIndex.Component(
          name: name, tensorRange: first..<index.tensors.count, arenaOffset: arenaOffset,
          arenaByteCount: position - arenaOffset))
    }
    index.encodings = encodings.sorted { $0.value < $1.value }.map(\.key)
    index.layouts = layouts.sorted { $0.value < $1.value }.map(\.key)
    for (name, bytes) in blobs {
      position = roundUp(position, to: geometry.smallAlignment)
      index.blobs.append(
        ArchiveIndex.Blob(
          name: name, offset: position, byteCount: bytes.count, sums: chunkSums(bytes.count),
          digest: SHA256.of(bytes)))
      position += bytes.count
    }
    blobBytes = blobs.map(\.bytes)
    metadataBytes = MetadataTable(previous: nil, json: metadata).encoded()
    indexOffset = roundUp(position, to: geometry.largeAlignment)
    indexByteCount = index.encoded().count
    metadataOffset = roundUp(indexOffset + indexByteCount, to: geometry.smallAlignment)
    fileByteCount = metadataOffset + metadataBytes.count
  }

  /// Bytes of the index.
  public var tableByteCount: Int { indexByteCount + metadataBytes.count }
  /// Bytes of the carried files.
  package var carriedBytes: [[UInt8]] { blobBytes }
  public var carriedByteCount: Int { blobBytes.reduce(0) { $0 + $1.count } }

  /// Bytes of all planes of a component.
  public func storedByteCount(component: Int) -> Int {
    index.components[component].tensorRange.reduce(0) { sum, number in
      sum + index.tensors[number].planes.reduce(0) { $0 + $1.byteCount }
    }
  }
}
