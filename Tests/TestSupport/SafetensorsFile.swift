/// Safetensors files by hand, right or wrong.
public enum SafetensorsFile {
  /// The length, a header, and data.
  public static func bytes(header: String, data: [UInt8] = []) -> [UInt8] {
    bytes(header: Array(header.utf8), data: data)
  }

  public static func bytes(header: [UInt8], data: [UInt8] = []) -> [UInt8] {
    withUnsafeBytes(of: UInt64(header.count).littleEndian) { Array($0) } + header + data
  }

  /// One entry of a header.
  public static func entry(_ name: String, _ dtype: String, _ shape: [Int], _ begin: Int, _ end: Int) -> String {
    "\"\(name)\":{\"dtype\":\"\(dtype)\",\"shape\":[\(shape.map(String.init).joined(separator: ","))],\"data_offsets\":[\(begin),\(end)]}"
  }

  /// A sound file of tensors one after another.
  public static func bytes(_ tensors: [(name: String, dtype: String, shape: [Int], data: [UInt8])]) -> [UInt8] {
    var offset = 0
    var entries: [String] = []
    for tensor in tensors {
      entries.append(entry(tensor.name, tensor.dtype, tensor.shape, offset, offset + tensor.data.count))
      offset += tensor.data.count
    }
    return bytes(header: "{" + entries.joined(separator: ",") + "}", data: tensors.flatMap(\.data))
  }
}
