import BantamArchive
import Checkpoints
import JSONText
import ModelSources
import Tensors

/// A folder of safetensors: the tensors of a source in the files and under the names of its release, with the files beside them.
///
/// What is stored in an encoding is decoded to f32. Parts of other programs' encodings go along bit for bit.
public struct SafetensorsExport: ExportFormat {
  public init() {}

  public var name: String { "safetensors" }
  public var fileEnding: String? { nil }

  public func plan(_ source: ModelSource, _ map: ModelMap, _ options: ExportOptions) throws -> ExportPlan {
    let components = try options.components.map { try map.selected($0, path: source.path) } ?? map.components
    let numbers = components.flatMap { $0.tensors.map(\.number) }
    guard !numbers.isEmpty else { throw ExportError.nothingToExport(path: source.path) }
    var byFile: [String: [Int]] = [:]
    for number in numbers {
      byFile[Self.fileName(source.origin(of: number).file), default: []].append(number)
    }
    let weights = try byFile.sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }.map { path, numbers in
      try file(path, numbers, source, options.dtype)
    }
    var files: [ExportPlan.File] = []
    let left = try CompanionFile.visit(source, map) { path, bytes in
      files.append(.init(companion: path, byteCount: bytes.count))
    }
    files += weights + Self.shardIndexes(weights)
    let marker = AtomicOutputFolder.marker(of: files.map(\.path))
    files.append(.init(path: AtomicOutputFolder.markerName, bytes: marker))
    var paths: Set<String> = []
    for file in files where !paths.insert(file.path).inserted {
      throw ExportError.fileTwice(path: source.path, file: file.path)
    }
    return try ExportPlan(
      source: source, map: map, format: name, isOneFile: false, files: files,
      notes: map.notes + left + notes(source, map, numbers, weights))
  }

  private func notes(
    _ source: ModelSource, _ map: ModelMap, _ numbers: [Int], _ files: [ExportPlan.File]
  ) throws -> [String] {
    var notes: [String] = []
    let decoded = files.flatMap(\.tensors).filter { source.isQuantized($0.number) }
    if let first = decoded.first {
      let (before, after) = (
        decoded.reduce(0) { $0 + source.tensors[$1.number].storedByteCount }, decoded.reduce(0) { $0 + $1.byteCount }
      )
      notes.append(
        "\(decoded.count) quantized tensor\(decoded.count == 1 ? "" : "s") will be plain numbers: \(before) bytes become "
          + "\(after); first '\(first.name)'")
      // Files are carried as they are; whoever reads this one would look for codes.
      let config = try source.companion("config.json").flatMap { try? ConfigJSON.parse($0) }
      for key in ["quantization", "quantization_config"] where config?[key] != nil {
        notes.append(
          "config.json still says how the weights were quantized, under '\(key)': take it out for other programs")
      }
    }
    let taken = Set(numbers)
    let left = source.tensors.indices.filter { source.tensors[$0].isPart && !taken.contains($0) }
    if let first = left.first {
      notes.append(
        "left out: \(left.count) parts of other programs' encodings, first '\(source.tensors[first].info.name)'")
    }
    let other = map.components.filter { $0.tensors.contains { !taken.contains($0.number) } }
    if !other.isEmpty { notes.append("left out: " + other.map(\.name).joined(separator: ", ")) }
    return notes
  }

  /// Endings of files that give their tensors to a safetensors file of the same name.
  private static let endings = [".safetensors.zst", ".bin", ".pt", ".pth", ".ckpt", ".gguf", ".npz", ".npy"]

  private static func fileName(_ path: String) -> String {
    if path.hasSuffix(".safetensors") { return path }
    let ending = endings.first { path.hasSuffix($0) && Folder.split(path).name.utf8.count > $0.utf8.count }
    return path.dropLast(ending?.count ?? 0) + ".safetensors"
  }

  private func file(
    _ path: String, _ numbers: [Int], _ source: ModelSource, _ dtype: DType?
  ) throws -> ExportPlan.File {
    var names: Set<TensorName> = []
    let infos = try numbers.map { number -> (number: Int, info: TensorInfo, sourceOffset: Int) in
      try source.checkReadable(number)
      let (tensor, origin) = (source.tensors[number], source.origin(of: number))
      guard names.insert(origin.name).inserted else {
        throw ExportError.nameTwice(path: source.path, tensor: origin.name)
      }
      var type = tensor.info.dtype
      if let dtype, type.isReal, !tensor.isPart { type = dtype }
      guard let info = TensorInfo(name: origin.name, dtype: type, shape: tensor.info.shape) else {
        throw ExportError.cannotCast(path: source.path, tensor: origin.name, dtype: type.name)
      }
      return (number, info, origin.offset)
    }.sorted {
      // Wide elements first, so that every tensor is aligned to its own; then as in the source.
      ($1.info.dtype.bitWidth, $0.sourceOffset, $0.info.name) < ($0.info.dtype.bitWidth, $1.sourceOffset, $1.info.name)
    }
    let layout = SafetensorsLayout(infos.map(\.info))
    let tensors = zip(infos, layout.offsets).map { item, offset in
      ExportPlan.Tensor(
        name: item.info.name, type: item.info.dtype.name, shape: item.info.shape, byteCount: item.info.byteCount,
        offset: offset, number: item.number, form: .values(item.info.dtype))
    }
    return ExportPlan.File(path: path, header: layout.header, tensors: tensors, byteCount: layout.fileByteCount)
  }

  /// The indexes of folders whose files are shards, `STEM-0000i-of-0000n.safetensors`.
  private static func shardIndexes(_ files: [ExportPlan.File]) -> [ExportPlan.File] {
    var groups: [String: [ExportPlan.File]] = [:]
    for file in files {
      guard let range = file.path.firstRange(of: /-[0-9]+-of-[0-9]+\.safetensors$/) else { continue }
      groups[file.path[..<range.lowerBound] + ".safetensors.index.json", default: []].append(file)
    }
    return groups.sorted { $0.key < $1.key }.map { path, files in
      let total = files.flatMap(\.tensors).reduce(0) { $0 + $1.byteCount }
      var names = files.flatMap { file in file.tensors.map { ($0.name, Folder.split(file.path).name) } }
      names.sort { $0.0 < $1.0 }
      var json = Array("{\n  \"metadata\": {\"total_size\": \(total)},\n  \"weight_map\": {".utf8)
      for (position, (name, file)) in names.enumerated() {
        json += (position == 0 ? "\n    " : ",\n    ").utf8
        JSONValue.quote(name.utf8, to: &json)
        json += ": ".utf8
        JSONValue.quote(file.utf8, to: &json)
      }
      json += "\n  }\n}\n".utf8
      return ExportPlan.File(path: path, bytes: json)
    }
  }
}

extension ExportFormat where Self == SafetensorsExport {
  public static var safetensors: Self { SafetensorsExport() }
}
