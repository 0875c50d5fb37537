import Tensors

/// The header of a GGUF file to be written, and where each tensor goes: all that is known before the first byte of data.
///
/// Version 3. Tensors lie in the order given, each at the next multiple of ``alignment``, with zeros between and behind.
public struct GGUFLayout: Sendable {
  public struct Tensor: Sendable {
    public let name: TensorName
    public let type: GGMLType
    /// Outermost dimension first.
    public let shape: [Int]

    public init(name: TensorName, type: GGMLType, shape: [Int]) {
      self.name = name
      self.type = type
      self.shape = shape
    }
  }

  /// A run of bytes of the file.
  public struct Place: Sendable, Equatable {
    public let offset: Int
    public let byteCount: Int
  }

  /// What every reader takes where a file says nothing; said all the same.
  public static let alignment = 32

  /// The first bytes of the file, up to the data.
  public let header: [UInt8]
  /// The place of each tensor in the file.
  public let places: [Place]
  public let fileByteCount: Int

  /// - Parameter metadata: without `general.alignment`, which is added.
  /// - Throws: ``GGUFError`` for what no reader, or not ours, would take: names that occur twice or are too long, sizes that do not
  ///   fill whole blocks or overflow, counts over the limits.
  public init(_ metadata: [GGUFPair], _ tensors: [Tensor]) throws(GGUFError) {
    let metadata = metadata + [GGUFPair("general.alignment", uint32: UInt32(Self.alignment))]
    guard metadata.count <= Limits.ggufKeyCount else { throw .tooManyKeys(claimed: UInt64(metadata.count)) }
    guard tensors.count <= Limits.ggufTensorCount else { throw .tooManyTensors(claimed: UInt64(tensors.count)) }
    var keys: Set<[UInt8]> = []
    for pair in metadata where !keys.insert(pair.key).inserted { throw .keyTwice(key: pair.key) }

    var header = Array("GGUF".utf8) + GGUFPair.little(UInt32(3))
    header += GGUFPair.little(UInt64(tensors.count)) + GGUFPair.little(UInt64(metadata.count))
    for pair in metadata { header += pair.bytes }
    var names: Set<TensorName> = []
    var sizes: [Int] = []
    var position = 0
    for tensor in tensors {
      guard names.insert(tensor.name).inserted else { throw .tensorTwice(name: tensor.name) }
      let byteCount = try Self.byteCount(tensor)
      header += GGUFPair.text(tensor.name.utf8) + GGUFPair.little(UInt32(tensor.shape.count))
      for size in tensor.shape.reversed() { header += GGUFPair.little(UInt64(size)) }
      header += GGUFPair.little(tensor.type.rawValue) + GGUFPair.little(UInt64(position))
      sizes.append(byteCount)
      let (end, overflow) = position.addingReportingOverflow(byteCount)
      guard !overflow, end <= Limits.claimedByteCount else { throw .sizeOverflow(name: tensor.name) }
      position = Self.aligned(end)
    }
    guard header.count <= Limits.ggufHeaderByteCount else { throw .headerTooLarge(byteCount: header.count) }
    header += repeatElement(0, count: Self.aligned(header.count) - header.count)
    self.header = header
    var places: [Place] = []
    var offset = header.count
    for size in sizes {
      places.append(Place(offset: offset, byteCount: size))
      offset = Self.aligned(offset + size)
    }
    self.places = places
    fileByteCount = offset
  }

  private static func aligned(_ offset: Int) -> Int { (offset + alignment - 1) / alignment * alignment }

  private static func byteCount(_ tensor: Tensor) throws(GGUFError) -> Int {
    let (name, type) = (tensor.name, tensor.type)
    guard name.utf8.count <= Limits.ggufNameByteCount else { throw .nameTooLong(name: name) }
    guard tensor.shape.count <= Limits.ggufRank else {
      throw .rankTooLarge(name: name, rank: UInt32(clamping: tensor.shape.count))
    }
    let columns = tensor.shape.last ?? 1
    guard columns.isMultiple(of: type.blockElementCount) else {
      throw .partialBlock(name: name, type: type.name, columns: columns)
    }
    guard let info = TensorInfo(name: name, dtype: .f64, shape: tensor.shape) else { throw .sizeOverflow(name: name) }
    let (byteCount, overflow) = (info.elementCount / type.blockElementCount)
      .multipliedReportingOverflow(by: type.blockByteCount)
    guard !overflow else { throw .sizeOverflow(name: name) }
    return byteCount
  }
}
