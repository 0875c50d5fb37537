import Archive
import Checkpoints
import JSON
import Kernels
import Tensors
import Tokenization

/// Writes the tensors of a source back as safetensors, in the files and under the names they came from.
public enum Exporter {
  /// One safetensors file of the output.
  struct OutputFile {
    let path: String
    let header: [UInt8]
    /// Tensor number, dtype in the output, and offset in the file.
    let tensors: [(number: Int, info: TensorInfo, offset: Int)]
    let byteCount: Int
  }

  /// Exports an archive.
  /// - Parameters:
  ///   - dtype: cast f32, f16 and bf16 tensors to this type; nil keeps every dtype.
  ///   - path: the folder to make. An earlier export is replaced.
  /// - Throws: ``FileError``, ``ArchiveError`` or ``ConversionError``.
  public static func run(_ archive: Archive, dtype: DType?, to path: String, resources: Resources) throws {
    try resources.checkMemory()
    let files = try plan(archive, dtype: dtype)
    let folder = try AtomicOutputFolder(path: path)
    do {
      try folder.reserve(
        byteCount: files.reduce(0) { $0 + $1.byteCount } + archive.index.blobs.reduce(0) { $0 + $1.byteCount })
      // The tokenizer's table is made from the files beside it.
      for blob in archive.index.blobs where blob.name != Tokenizer.tableName {
        try folder.write(try archive.contents(of: blob), to: blob.name)
      }
      for file in files { try write(file, archive, to: try folder.place(for: file.path), resources) }
      for index in shardIndexes(files) { try folder.write(index.bytes, to: index.path) }
      try resources.cancellation.check()
      try archive.checkUnchanged()
      try folder.commit()
    } catch {
      folder.discard()
      throw error
    }
  }

  /// Bytes of tensors that an export reads.
  public static func inputByteCount(_ archive: Archive) -> Int {
    archive.index.tensors.reduce(0) { $0 + $1.info.byteCount }
  }

  static func plan(_ archive: Archive, dtype: DType?) throws -> [OutputFile] {
    var byFile: [String: [Int]] = [:]
    for (number, tensor) in archive.index.tensors.enumerated() {
      let path = tensor.source.map { archive.index.sourceFiles[$0.file].path } ?? "model.safetensors"
      // A source of another format gives its tensors to a safetensors file of the same name.
      let name = path.hasSuffix(".safetensors") ? path : path + ".safetensors"
      byFile[name, default: []].append(number)
    }
    return try byFile.sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }.map { path, numbers in
      try outputFile(path, numbers, archive, dtype)
    }
  }

  private static func outputFile(
    _ path: String, _ numbers: [Int], _ archive: Archive, _ dtype: DType?
  ) throws -> OutputFile {
    let infos = try numbers.map { number -> (number: Int, info: TensorInfo, sourceOffset: Int) in
      let tensor = archive.index.tensors[number]
      var type = tensor.info.dtype
      if let dtype, type.isReal, tensor.role != ModelSource.partRole { type = dtype }
      let name = tensor.source?.name ?? tensor.info.name
      guard let info = TensorInfo(name: name, dtype: type, shape: tensor.info.shape) else {
        throw ConversionError.cannotCast(name: name.text, dtype: type.name)
      }
      return (number, info, tensor.source?.offset ?? 0)
    }.sorted {
      // Wide elements first, so that every tensor is aligned to its own; then as in the source.
      ($1.info.dtype.bitWidth, $0.sourceOffset, $0.info.name) < ($0.info.dtype.bitWidth, $1.sourceOffset, $1.info.name)
    }
    let layout = SafetensorsLayout(infos.map(\.info))
    let tensors = zip(infos, layout.offsets).map { (number: $0.number, info: $0.info, offset: $1) }
    return OutputFile(path: path, header: layout.header, tensors: tensors, byteCount: layout.fileByteCount)
  }

  private static func write(_ file: OutputFile, _ archive: Archive, to path: String, _ resources: Resources) throws {
    let output = try AtomicOutputFile(path: path)
    do {
      try output.reserve(byteCount: file.byteCount)
      try output.write(file.header, at: 0)
      let buffers = try (0..<resources.threadCount).map { _ in try StreamBuffers() }
      let source = ModelSource(archive)
      try Workers.run(threadCount: resources.threadCount, itemCount: file.tensors.count) { worker, item in
        let (number, info, start) = file.tensors[item]
        var offset = start
        let sourceType = archive.index.tensors[number].info.dtype
        try source.stream(
          number, through: buffers[worker].source, cancellation: resources.cancellation
        ) { bytes in
          let count = bytes.count * 8 / sourceType.bitWidth
          var stored = bytes
          if sourceType != info.dtype {
            ElementCast.cast(
              count: count, from: bytes.baseAddress!, sourceType, to: buffers[worker].target.bytes.baseAddress!,
              info.dtype,
              scratch: buffers[worker].scratch.bytes.baseAddress!.assumingMemoryBound(to: Float.self))
            stored = UnsafeRawBufferPointer(
              rebasing: buffers[worker].target.bytes[..<(count * info.dtype.bitWidth / 8)])
          }
          try output.write(stored, at: offset)
          offset += stored.count
          resources.progress(bytes.count)
        }
        output.startWriting(offset: start, count: info.byteCount)
      }
      try output.commit(byteCount: file.byteCount)
    } catch {
      output.discard()
      throw error
    }
  }

  /// The indexes of folders whose files are shards, `STEM-0000i-of-0000n.safetensors`.
  static func shardIndexes(_ files: [OutputFile]) -> [(path: String, bytes: [UInt8])] {
    var groups: [String: [OutputFile]] = [:]
    for file in files {
      guard let range = file.path.firstRange(of: /-[0-9]+-of-[0-9]+\.safetensors$/) else { continue }
      groups[file.path[..<range.lowerBound] + ".safetensors.index.json", default: []].append(file)
    }
    return groups.sorted { $0.key < $1.key }.map { path, files in
      let total = files.flatMap(\.tensors).reduce(0) { $0 + $1.info.byteCount }
      var names = files.flatMap { file in file.tensors.map { ($0.info.name, Folder.split(file.path).name) } }
      names.sort { $0.0 < $1.0 }
      var json = Array("{\n  \"metadata\": {\"total_size\": \(total)},\n  \"weight_map\": {".utf8)
      for (position, (name, file)) in names.enumerated() {
        json += (position == 0 ? "\n    " : ",\n    ").utf8
        JSONValue.quote(name.utf8, to: &json)
        json += ": ".utf8
        JSONValue.quote(file.utf8, to: &json)
      }
      json += "\n  }\n}\n".utf8
      return (path, json)
    }
  }
}
