import JSONText
import Tensors

/// The header of a safetensors file, every rule checked.
///
/// Source: safetensors README, section "Format": u64 length, JSON, one buffer without holes.
public struct SafetensorsHeader: Sendable {
  public struct Entry: Sendable {
    public let info: TensorInfo
    /// Offset of the first byte from the start of the file.
    public let offset: Int
  }

  /// Tensors by their place in the data.
  public let entries: [Entry]
  /// `__metadata__`, in file order.
  public let metadata: [(key: [UInt8], value: [UInt8])]
  /// Where the data starts.
  public let dataOffset: Int

  /// - Parameter limit: bytes that the header may have.
  /// - Throws: ``SafetensorsError``.
  public init(
    file: any ByteSource, limit: Int = Limits.safetensorsHeaderByteCount
  ) throws(SafetensorsError) {
    let prefix: [UInt8]
    guard file.byteCount >= 8 else { throw .tooShort(byteCount: file.byteCount) }
    do { prefix = try file.bytes(at: 0, count: 8) } catch { throw .file(error) }
    let length = try Self.length(prefix, limit: limit)
    guard length <= file.byteCount - 8 else { throw .headerPastEnd(claimed: length, available: file.byteCount - 8) }
    let json: [UInt8]
    do { json = try file.bytes(at: 8, count: length) } catch { throw .file(error) }
    try self.init(json: json, dataByteCount: file.byteCount - 8 - length)
  }

  /// - Parameters:
  ///   - json: the header without its length.
  ///   - dataByteCount: bytes that follow it.
  public init(json: [UInt8], dataByteCount: Int) throws(SafetensorsError) {
    guard let first = json.first else { throw .headerEmpty }
    guard first == UInt8(ascii: "{") else { throw .headerDoesNotStartWithBrace(found: first) }
    var parser = try HeaderParser(json)
    try parser.parse()
    dataOffset = 8 + json.count
    metadata = parser.metadata
    entries = try Self.checkedRanges(parser.ranges, dataByteCount: dataByteCount, dataOffset: dataOffset)
  }

  /// The length in the first 8 bytes.
  static func length(_ prefix: [UInt8], limit: Int) throws(SafetensorsError) -> Int {
    let claimed = prefix.reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
    guard let length = Int(exactly: claimed), length <= limit else { throw .headerTooLarge(claimed: claimed) }
    return length
  }

  /// Where the last tensor of a header ends in the data.
  static func claimedDataByteCount(json: [UInt8]) throws(SafetensorsError) -> Int {
    guard !json.isEmpty else { throw .headerEmpty }
    var parser = try HeaderParser(json)
    try parser.parse()
    return parser.ranges.map(\.end).max() ?? 0
  }

  private static func checkedRanges(
    _ ranges: [HeaderParser.Range], dataByteCount: Int, dataOffset: Int
  ) throws(SafetensorsError) -> [Entry] {
    // Empty tensors come before what starts at the same byte; equal ones keep the order of their names.
    let sorted = ranges.sorted {
      ($0.begin, $0.end) != ($1.begin, $1.end)
        ? ($0.begin, $0.end) < ($1.begin, $1.end) : $0.info.name < $1.info.name
    }
    var position = 0
    var previous: TensorName = ""
    var entries: [Entry] = []
    entries.reserveCapacity(sorted.count)
    for range in sorted {
      let name = range.info.name
      guard range.end <= dataByteCount else {
        throw .pastEnd(name: name, end: range.end, available: dataByteCount)
      }
      guard range.begin >= position else { throw .overlap(name: name, other: previous) }
      guard range.begin == position else { throw .hole(before: name, from: position, to: range.begin) }
      position = range.end
      previous = name
      entries.append(Entry(info: range.info, offset: dataOffset + range.begin))
    }
    guard position == dataByteCount else { throw .trailingBytes(count: dataByteCount - position) }
    return entries
  }
}

private struct HeaderParser {
  struct Range {
    let info: TensorInfo
    let begin: Int
    let end: Int
  }

  var scanner: JSONScanner
  let json: [UInt8]
  var ranges: [Range] = []
  var metadata: [(key: [UInt8], value: [UInt8])] = []

  init(_ json: [UInt8]) throws(SafetensorsError) {
    self.json = json
    do { scanner = try JSONScanner(json) } catch { throw .json(error) }
  }

  private mutating func scan<Value>(
    _ body: (inout JSONScanner) throws(JSONError) -> Value
  ) throws(SafetensorsError) -> Value {
    do { return try body(&scanner) } catch { throw .json(error) }
  }

  mutating func parse() throws(SafetensorsError) {
    var object = try scan { (s) throws(JSONError) in try s.beginObject() }
    while let key = try scan({ (s) throws(JSONError) in try s.nextKey(&object) }) {
      if key == Array("__metadata__".utf8) {
        try parseMetadata()
      } else {
        guard !key.isEmpty else { throw .nameEmpty }
        guard key.count <= Limits.nameByteCount else { throw .nameTooLong(byteCount: key.count) }
        guard ranges.count < Limits.tensorCount else { throw .tooManyTensors }
        try parseTensor(TensorName(utf8: key))
      }
    }
    // White space of JSON, as the reference reader takes it.
    if let stray = json[scanner.offset...].firstIndex(where: { ![0x20, 0x09, 0x0A, 0x0D].contains($0) }) {
      throw .paddingNotSpaces(offset: stray)
    }
  }

  private mutating func parseMetadata() throws(SafetensorsError) {
    var object = try scan { (s) throws(JSONError) in try s.beginObject() }
    while let key = try scan({ (s) throws(JSONError) in try s.nextKey(&object) }) {
      guard try scan({ (s) throws(JSONError) in try s.peek() }) == UInt8(ascii: "\"") else {
        throw .metadataNotStrings(key: key)
      }
      metadata.append((key, try scan { (s) throws(JSONError) in try s.string() }))
    }
  }

  private mutating func parseTensor(_ name: TensorName) throws(SafetensorsError) {
    guard try scan({ (s) throws(JSONError) in try s.peek() }) == UInt8(ascii: "{") else {
      throw .entryNotObject(name: name)
    }
    var dtype: DType?
    var shape: [Int]?
    var offsets: [Int]?
    var object = try scan { (s) throws(JSONError) in try s.beginObject() }
    while let key = try scan({ (s) throws(JSONError) in try s.nextKey(&object) }) {
      switch String(decoding: key, as: UTF8.self) {
      case "dtype":
        let text = try scan { (s) throws(JSONError) in try s.string() }
        guard let known = DType(rawValue: String(decoding: text, as: UTF8.self)) else {
          throw .unknownDType(name: name, dtype: text)
        }
        dtype = known
      case "shape":
        guard try scan({ (s) throws(JSONError) in try s.peek() }) == UInt8(ascii: "[") else {
          throw .badShape(name: name)
        }
        shape = try numbers(limit: Limits.rank, tooMany: .rankTooLarge(name: name))
      case "data_offsets":
        guard try scan({ (s) throws(JSONError) in try s.peek() }) == UInt8(ascii: "[") else {
          throw .offsetsNotPair(name: name, count: 0)
        }
        offsets = try numbers(limit: 2, tooMany: .offsetsNotPair(name: name, count: 3))
      default: throw .unknownField(name: name, field: key)
      }
    }
    guard let dtype else { throw .missingField(name: name, field: "dtype") }
    guard let shape else { throw .missingField(name: name, field: "shape") }
    guard let offsets else { throw .missingField(name: name, field: "data_offsets") }
    guard offsets.count == 2 else { throw .offsetsNotPair(name: name, count: offsets.count) }
    guard let info = TensorInfo(name: name, dtype: dtype, shape: shape) else {
      // Without overflow, only a partial byte is left as a reason.
      let bytes = TensorInfo(name: name, dtype: .u8, shape: shape)
      if let bytes, !bytes.elementCount.multipliedReportingOverflow(by: dtype.bitWidth).overflow {
        throw .partialByte(name: name, dtype: dtype)
      }
      throw .sizeOverflow(name: name, shape: shape)
    }
    guard offsets[0] <= offsets[1] else { throw .reversedRange(name: name, begin: offsets[0], end: offsets[1]) }
    guard offsets[1] - offsets[0] == info.byteCount else {
      throw .sizeMismatch(name: name, expected: info.byteCount, found: offsets[1] - offsets[0])
    }
    ranges.append(Range(info: info, begin: offsets[0], end: offsets[1]))
  }

  private mutating func numbers(limit: Int, tooMany: SafetensorsError) throws(SafetensorsError) -> [Int] {
    var values: [Int] = []
    var array = try scan { (s) throws(JSONError) in try s.beginArray() }
    while try scan({ (s) throws(JSONError) in try s.nextElement(&array) }) {
      guard values.count < limit else { throw tooMany }
      values.append(try scan { (s) throws(JSONError) in try s.unsignedInteger() })
    }
    return values
  }
}
