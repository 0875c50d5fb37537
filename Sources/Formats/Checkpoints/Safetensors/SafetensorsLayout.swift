import JSONText
import Tensors

/// The header of a safetensors file to be written, and where each tensor goes.
///
/// The data starts at a multiple of 64 bytes. Tensors lie in the order given: put wide elements first to have every
/// tensor aligned to its own.
public struct SafetensorsLayout: Sendable {
  /// The first bytes of the file: length and JSON.
  public let header: [UInt8]
  /// Offset of each tensor from the start of the file.
  public let offsets: [Int]
  public let fileByteCount: Int

  /// - Parameter headerByteCount: where the data starts; nil: as early as possible. Ignored where the header is longer.
  public init(_ tensors: [TensorInfo], headerByteCount: Int? = nil) {
    var json: [UInt8] = Array("{\"__metadata__\":{\"format\":\"pt\"}".utf8)
    var begin = 0
    for tensor in tensors {
      json.append(UInt8(ascii: ","))
      JSONValue.quote(tensor.name.utf8, to: &json)
      let shape = tensor.shape.map(String.init).joined(separator: ",")
      json +=
        ":{\"dtype\":\"\(tensor.dtype.name)\",\"shape\":[\(shape)],\"data_offsets\":[\(begin),\(begin + tensor.byteCount)]}"
        .utf8
      begin += tensor.byteCount
    }
    json.append(UInt8(ascii: "}"))
    let padding = max((64 - (8 + json.count) % 64) % 64, (headerByteCount ?? 0) - 8 - json.count)
    json += repeatElement(0x20, count: padding)
    let header = withUnsafeBytes(of: UInt64(json.count).littleEndian) { Array($0) } + json
    var position = header.count
    offsets = tensors.map { tensor in
      defer { position += tensor.byteCount }
      return position
    }
    self.header = header
    fileByteCount = header.count + begin
  }
}
