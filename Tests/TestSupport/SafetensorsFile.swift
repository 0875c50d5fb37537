import Foundation

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

  /// Writes a sound file of tensors of zeros, as large as it says and with nothing on the disk but the header.
  /// - Parameter tensors: of BF16 or F32.
  public static func writeSparse(_ tensors: [(name: String, dtype: String, shape: [Int])], to path: String) throws {
    var offset = 0
    var entries: [String] = []
    for tensor in tensors {
      let byteCount = tensor.shape.reduce(tensor.dtype == "F32" ? 4 : 2, *)
      entries.append(entry(tensor.name, tensor.dtype, tensor.shape, offset, offset + byteCount))
      offset += byteCount
    }
    let header = bytes(header: "{" + entries.joined(separator: ",") + "}")
    try Data(header).write(to: URL(fileURLWithPath: path))
    let file = try FileHandle(forWritingTo: URL(fileURLWithPath: path))
    try file.truncate(atOffset: UInt64(header.count + offset))
    try file.close()
  }
}
