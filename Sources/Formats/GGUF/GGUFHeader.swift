import Tensors

/// The header of a GGUF file, every rule checked.
///
/// Source: ggml, `docs/gguf.md`. Shapes come in PyTorch's order, outermost first.
public struct GGUFHeader: Sendable {
  public struct Metadatum: Sendable {
    public let key: [UInt8]
    public let value: GGUFValue
    /// Where key, type and value stand in the file.
    public let range: Range<Int>
  }

  public struct Tensor: Sendable {
    public let name: TensorName
    public let type: GGMLType
    public let shape: [Int]
    /// Where its blocks start in the file.
    public let offset: Int
    public let byteCount: Int
  }

  public let version: Int
  /// Keys and values in the file's order.
  public let metadata: [Metadatum]
  /// Tensors by their place in the data.
  public let tensors: [Tensor]

  /// Items of an array that are kept: what people are shown, and shapes.
  private static let shownItemCount = 8
  /// Strings up to this size are held in memory.
  private static let heldStringByteCount = 64 << 10

  /// The value of a key.
  public subscript(key: String) -> GGUFValue? { metadata.first { $0.key.elementsEqual(key.utf8) }?.value }

  /// - Throws: ``GGUFError``.
  public init(_ file: any ByteSource) throws(GGUFError) {
    var reader = try GGUFReader(file)
    guard reader.remaining >= 4, try reader.number(UInt32.self) == 0x4655_4747 else { throw .badMagic }
    let version = try reader.number(UInt32.self)
    if [1, 2, 3].contains(version.byteSwapped) { throw .bigEndian }
    guard version == 2 || version == 3 else { throw .unknownVersion(version) }
    self.version = Int(version)
    let tensorCount = try reader.number(UInt64.self)
    let keyCount = try reader.number(UInt64.self)
    // A key takes 8 + 1 + 4 + 1 bytes at the least, a tensor 8 + 1 + 4 + 4 + 8.
    guard keyCount <= UInt64(reader.remaining / 14), keyCount <= UInt64(Limits.ggufKeyCount) else {
      throw .tooManyKeys(claimed: keyCount)
    }
    guard tensorCount <= UInt64(reader.remaining / 25), tensorCount <= UInt64(Limits.ggufTensorCount) else {
      throw .tooManyTensors(claimed: tensorCount)
    }
    metadata = try Self.metadata(&reader, count: Int(keyCount))
    let alignment = try Self.alignment(metadata)
    let described = try Self.described(&reader, count: Int(tensorCount))
    tensors = try Self.placed(described, reader, alignment: alignment)
  }

  // MARK: Metadata

  private static func metadata(
    _ reader: inout GGUFReader, count: Int
  ) throws(GGUFError) -> [Metadatum] {
    var metadata: [Metadatum] = []
    var seen: Set<[UInt8]> = []
    for _ in 0..<count {
      let start = reader.offset
      guard let key = try text(&reader) else { throw .badKey(offset: start) }
      guard seen.insert(key).inserted else { throw .keyTwice(key: key) }
      let number = try reader.number(UInt32.self)
      guard let type = GGUFValueType(rawValue: number) else { throw .unknownValueType(key: key, type: number) }
      let value = try value(type, key, &reader)
      metadata.append(Metadatum(key: key, value: value, range: start..<reader.offset))
    }
    return metadata
  }

  /// A name: text of a sensible length; nil where it is not.
  private static func text(_ reader: inout GGUFReader) throws(GGUFError) -> [UInt8]? {
    let length = try reader.number(UInt64.self)
    guard length > 0, length <= UInt64(Limits.nameByteCount) else { return nil }
    let bytes = try reader.bytes(Int(length))
    return String(validating: bytes, as: UTF8.self) == nil ? nil : bytes
  }

  private static func value(
    _ type: GGUFValueType, _ key: [UInt8], _ reader: inout GGUFReader
  ) throws(GGUFError) -> GGUFValue {
    switch type {
    case .uint8: return .unsigned(UInt64(try reader.number(UInt8.self)))
    case .int8: return .signed(Int64(try reader.number(Int8.self)))
    case .uint16: return .unsigned(UInt64(try reader.number(UInt16.self)))
    case .int16: return .signed(Int64(try reader.number(Int16.self)))
    case .uint32: return .unsigned(UInt64(try reader.number(UInt32.self)))
    case .int32: return .signed(Int64(try reader.number(Int32.self)))
    case .uint64: return .unsigned(try reader.number(UInt64.self))
    case .int64: return .signed(try reader.number(Int64.self))
    case .float32: return .float(Double(Float(bitPattern: try reader.number(UInt32.self))))
    case .float64: return .float(Double(bitPattern: try reader.number(UInt64.self)))
    case .bool:
      let byte = try reader.number(UInt8.self)
      guard byte <= 1 else { throw .badBool(key: key) }
      return .bool(byte == 1)
    case .string: return try string(key, &reader)
    case .array: return try array(key, &reader)
    }
  }

  private static func string(_ key: [UInt8], _ reader: inout GGUFReader) throws(GGUFError) -> GGUFValue {
    let length = try reader.number(UInt64.self)
    guard length <= UInt64(reader.remaining), length <= UInt64(Limits.ggufStringByteCount) else {
      throw .stringTooLong(key: key, claimed: length)
    }
    guard length <= UInt64(heldStringByteCount) else {
      let offset = reader.offset
      try reader.skip(Int(length))
      return .longString(byteCount: Int(length), offset: offset)
    }
    let bytes = try reader.bytes(Int(length))
    guard String(validating: bytes, as: UTF8.self) != nil else { throw .textNotUTF8(key: key) }
    return .string(bytes)
  }

  /// Items of a vocabulary are passed over, their lengths checked.
  private static func array(_ key: [UInt8], _ reader: inout GGUFReader) throws(GGUFError) -> GGUFValue {
    let number = try reader.number(UInt32.self)
    guard let type = GGUFValueType(rawValue: number) else { throw .unknownValueType(key: key, type: number) }
    guard type != .array else { throw .nestedArray(key: key) }
    let claimed = try reader.number(UInt64.self)
    guard claimed <= UInt64(reader.remaining / (type.byteCount ?? 8)) else {
      throw .arrayTooLong(key: key, claimed: claimed)
    }
    let offset = reader.offset
    var first: [GGUFValue] = []
    for index in 0..<Int(claimed) {
      if index < Self.shownItemCount {
        first.append(try value(type, key, &reader))
      } else if let byteCount = type.byteCount {
        try reader.skip((Int(claimed) - index) * byteCount)
        break
      } else {
        let length = try reader.number(UInt64.self)
        guard length <= UInt64(reader.remaining) else { throw .stringTooLong(key: key, claimed: length) }
        try reader.skip(Int(length))
      }
    }
    return .array(type: type, count: Int(claimed), first: first, offset: offset)
  }

  private static func alignment(_ metadata: [Metadatum]) throws(GGUFError) -> Int {
    guard let value = metadata.first(where: { $0.key.elementsEqual("general.alignment".utf8) })?.value else {
      return 32
    }
    guard let alignment = value.int, (8...1 << 20).contains(alignment), alignment & (alignment - 1) == 0 else {
      throw .badAlignment(found: value.int.map(String.init) ?? "something else")
    }
    return alignment
  }

  // MARK: Tensors

  private struct Described {
    let name: TensorName
    let type: GGMLType
    let shape: [Int]
    let byteCount: Int
    let offset: UInt64
  }

  private static func described(_ reader: inout GGUFReader, count: Int) throws(GGUFError) -> [Described] {
    var tensors: [Described] = []
    tensors.reserveCapacity(count)
    var seen: Set<TensorName> = []
    for _ in 0..<count {
      let start = reader.offset
      guard let utf8 = try text(&reader) else { throw .badTensorName(offset: start) }
      let name = TensorName(utf8: utf8)
      guard seen.insert(name).inserted else { throw .tensorTwice(name: name) }
      let rank = try reader.number(UInt32.self)
      guard rank <= UInt32(Limits.ggufRank) else { throw .rankTooLarge(name: name, rank: rank) }
      var shape: [Int] = []
      for _ in 0..<rank {
        guard let size = Int(exactly: try reader.number(UInt64.self)) else { throw .sizeOverflow(name: name) }
        shape.insert(size, at: 0)
      }
      let number = try reader.number(UInt32.self)
      guard let type = GGMLType(rawValue: number) else { throw .unknownType(name: name, type: number) }
      let columns = shape.last ?? 1
      guard columns.isMultiple(of: type.blockElementCount) else {
        throw .partialBlock(name: name, type: type.name, columns: columns)
      }
      // As f64 it must fit too, so that no later product of sizes overflows.
      guard let info = TensorInfo(name: name, dtype: .f64, shape: shape) else { throw .sizeOverflow(name: name) }
      let (byteCount, overflow) = (info.elementCount / type.blockElementCount)
        .multipliedReportingOverflow(by: type.blockByteCount)
      guard !overflow else { throw .sizeOverflow(name: name) }
      tensors.append(
        Described(
          name: name, type: type, shape: shape, byteCount: byteCount, offset: try reader.number(UInt64.self)))
    }
    return tensors
  }

  private static func placed(
    _ described: [Described], _ reader: GGUFReader, alignment: Int
  ) throws(GGUFError) -> [Tensor] {
    let (rounded, overflow) = reader.offset.addingReportingOverflow(alignment - 1)
    let start = overflow ? Int.max : rounded / alignment * alignment
    let available = max(0, reader.file.byteCount - start)
    let sorted = described.sorted {
      ($0.offset, $0.byteCount) != ($1.offset, $1.byteCount)
        ? ($0.offset, $0.byteCount) < ($1.offset, $1.byteCount) : $0.name < $1.name
    }
    var position = 0
    var previous: TensorName = ""
    var tensors: [Tensor] = []
    tensors.reserveCapacity(sorted.count)
    for tensor in sorted {
      guard tensor.offset % UInt64(alignment) == 0 else {
        throw .unaligned(name: tensor.name, offset: tensor.offset, alignment: alignment)
      }
      let (end, overflow) = tensor.offset.addingReportingOverflow(UInt64(tensor.byteCount))
      guard !overflow, end <= UInt64(available) else {
        throw .outside(name: tensor.name, end: overflow ? .max : end, available: available)
      }
      guard tensor.offset >= UInt64(position) else { throw .overlap(name: tensor.name, other: previous) }
      guard tensor.offset - UInt64(position) < UInt64(alignment) else {
        throw .hole(before: tensor.name, byteCount: Int(tensor.offset) - position)
      }
      position = Int(end)
      previous = tensor.name
      tensors.append(
        Tensor(
          name: tensor.name, type: tensor.type, shape: tensor.shape, offset: start + Int(tensor.offset),
          byteCount: tensor.byteCount))
    }
    guard available - position < alignment else { throw .trailingBytes(count: available - position) }
    return tensors
  }
}
