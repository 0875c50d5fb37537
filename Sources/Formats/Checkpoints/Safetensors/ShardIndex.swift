import JSONText
import Tensors

/// A `*.safetensors.index.json` or `*.bin.index.json`: which shard holds which tensor.
public struct ShardIndex: Sendable {
  /// Tensor names with the file that holds each, in file order.
  public let weightMap: [(name: TensorName, file: String)]

  /// File names, each once, sorted.
  public let files: [String]

  /// - Throws: ``CheckpointError``.
  public init(_ bytes: [UInt8], path: String) throws(CheckpointError) {
    var weightMap: [(name: TensorName, file: String)]?
    do {
      var scanner = try JSONScanner(bytes)
      var root = try scanner.beginObject()
      while let key = try scanner.nextKey(&root) {
        switch String(decoding: key, as: UTF8.self) {
        case "weight_map":
          var map: [(name: TensorName, file: String)] = []
          var object = try scanner.beginObject()
          while let name = try scanner.nextKey(&object) {
            map.append((TensorName(utf8: name), String(decoding: try scanner.string(), as: UTF8.self)))
          }
          weightMap = map
        default: try scanner.skipValue()
        }
      }
      try scanner.finish()
    } catch {
      throw .json(path: path, error)
    }
    guard let weightMap else { throw .indexWithoutWeightMap(path: path) }
    guard !weightMap.isEmpty else { throw .indexEmpty(path: path) }
    for (name, file) in weightMap {
      guard Folder.isPlainPath(file.utf8) else { throw .indexLeadsOutside(path: path, tensor: name, file: file) }
      guard Self.endings.contains(where: file.hasSuffix) else {
        throw .indexNamesOtherFormat(path: path, tensor: name, file: file)
      }
      guard name.utf8.count <= Limits.nameByteCount else { throw .indexNameTooLong(path: path) }
    }
    self.weightMap = weightMap
    files = Set(weightMap.map(\.file)).sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
  }

  /// What the shards of an index may be.
  private static let endings = [".safetensors"] + WeightSet.torchEndings
}
