import TestSupport

/// GGUF files by hand, right or wrong.
struct GGUFFile {
  struct Tensor {
    var name: [UInt8]
    var dimensions: [UInt64]
    var type: UInt32
    /// Nil for the place that follows the tensor before.
    var offset: UInt64?
    var byteCount: Int
    var rank: UInt32?

    init(_ name: String, _ dimensions: [UInt64], type: UInt32 = 0, offset: UInt64? = nil, byteCount: Int) {
      self.name = Array(name.utf8)
      self.dimensions = dimensions
      self.type = type
      self.offset = offset
      self.byteCount = byteCount
    }
  }

  var magic = Array("GGUF".utf8)
  var version: UInt32 = 3
  var tensorCount: UInt64?
  var keyCount: UInt64?
  /// Keys, types and values as they stand in the file.
  var metadata: [[UInt8]] = []
  var tensors: [Tensor] = []
  var alignment = 32
  var behind: [UInt8] = []
  /// Bytes of data; nil for what the tensors need.
  var dataByteCount: Int?

  static func text(_ text: some Sequence<UInt8>) -> [UInt8] { little(UInt64(Array(text).count)) + text }

  static func pair(_ key: String, _ type: UInt32, _ value: [UInt8]) -> [UInt8] { text(key.utf8) + little(type) + value }

  func bytes() -> [UInt8] {
    var out = magic + little(version) + little(tensorCount ?? UInt64(tensors.count))
    out += little(keyCount ?? UInt64(metadata.count)) + metadata.flatMap { $0 }
    var position = 0
    for tensor in tensors {
      out += Self.text(tensor.name) + little(tensor.rank ?? UInt32(tensor.dimensions.count))
      out += tensor.dimensions.flatMap { little($0) } + little(tensor.type) + little(tensor.offset ?? UInt64(position))
      position = (position + tensor.byteCount + alignment - 1) / alignment * alignment
    }
    out += [UInt8](repeating: 0, count: (alignment - out.count % alignment) % alignment)
    return out + [UInt8](repeating: 0, count: dataByteCount ?? position) + behind
  }
}
