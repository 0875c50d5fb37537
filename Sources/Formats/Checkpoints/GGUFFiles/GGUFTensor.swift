import Encodings
import GGUF
import Tensors

/// One run of bytes in a file.
struct FilePlane: PlaneSource {
  let file: any ByteSource
  /// Where it starts.
  let offset: Int

  func read(plane: Int, at offset: Int, into buffer: UnsafeMutableRawBufferPointer) throws {
    try file.read(at: self.offset + offset, into: buffer)
  }
}

extension GGUFHeader {
  /// Shapes of tensors whose rows were too narrow for blocks and that were flattened for them, by name. Source: ComfyUI-GGUF,
  /// `loader.py`.
  private var originalShapes: [[UInt8]: [Int]] {
    let prefix = Array("comfy.gguf.orig_shape.".utf8)
    var shapes: [[UInt8]: [Int]] = [:]
    for datum in metadata where datum.key.starts(with: prefix) {
      guard case .array(_, let count, let first, _) = datum.value, count == first.count else { continue }
      let sizes = first.compactMap(\.int)
      if sizes.count == count, sizes.allSatisfy({ $0 >= 0 }) {
        shapes[Array(datum.key.dropFirst(prefix.count))] = sizes
      }
    }
    return shapes
  }

  /// The tensors as entries of a checkpoint.
  func entries(_ file: any ByteSource, _ place: (folder: String, fileIndex: Int)) -> [Checkpoint.Entry] {
    let originalShapes = originalShapes
    return tensors.compactMap { tensor in
      let dtype = tensor.type.plainDType ?? .f32
      // The header has checked that its sizes fit even wider elements.
      guard var info = TensorInfo(name: tensor.name, dtype: dtype, shape: tensor.shape) else { return nil }
      if let shape = originalShapes[tensor.name.utf8],
        let original = TensorInfo(name: tensor.name, dtype: dtype, shape: shape),
        original.elementCount == info.elementCount
      {
        info = original
      }
      var content = Checkpoint.Content.plain
      if let encoding = GGMLEncoding(tensor.type),
        let blocks = try? EncodedTensor(
          info, encoding, planes: [PlaneShape(kind: .codes, layout: .rowMajor, byteCount: tensor.byteCount)],
          source: FilePlane(file: file, offset: tensor.offset))
      {
        content = .decoded(blocks)
      } else if tensor.type.plainDType == nil {
        content = .listedOnly(encoding: tensor.type.name, byteCount: tensor.byteCount)
      }
      let entry = Checkpoint.Entry(
        info: info, folder: place.folder, fileIndex: place.fileIndex, offset: tensor.offset, content: content)
      return entry.stored(as: .blocks(BlockRows(tensor)))
    }
  }
}

extension GGUFValue {
  /// For people: text, a number, or the beginning of an array.
  var words: String {
    switch self {
    case .unsigned(let value): "\(value)"
    case .signed(let value): "\(value)"
    case .float(let value): "\(Float(exactly: value).map { "\($0)" } ?? "\(value)")"
    case .bool(let value): "\(value)"
    case .string(let bytes): String(decoding: bytes, as: UTF8.self)
    case .longString(let count, _): "text of \(count) bytes"
    case .array(let type, let count, let first, _):
      "\(count) x \(type.name): [" + first.prefix(4).map(\.words).joined(separator: ", ") + (count > 4 ? ", …]" : "]")
    }
  }
}
