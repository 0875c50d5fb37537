import Encodings
import Tensors
import ZipFiles

/// NumPy arrays: one in a npy file, or several in the zip archive of a npz file.
enum NumPyArchive {
  /// Whether all entries of an archive are arrays.
  static func isOne(_ archive: ZipArchive) -> Bool {
    !archive.entries.isEmpty
      && archive.entries.allSatisfy { archive.name(of: $0).reversed().starts(with: ".npy".utf8.reversed()) }
  }

  /// The arrays of a npz file, named as NumPy names them. Those without numbers are passed over with a note.
  static func entries(
    _ archive: ZipArchive, path: String, _ place: (folder: String, fileIndex: Int)
  ) throws(CheckpointError) -> (entries: [Checkpoint.Entry], notes: [String]) {
    var entries: [Checkpoint.Entry] = []
    var strangers: [(name: String, error: CheckpointError)] = []
    let space = TemporarySpace()
    for entry in archive.entries {
      let fullName = archive.name(of: entry)
      let name = fullName.dropLast(4)
      do throws(CheckpointError) {
        let (beginning, unpacked): ([UInt8], any ByteSource)
        do throws(ZipError) {
          beginning = try archive.beginning(of: entry, count: min(entry.byteCount, NumPyHeader.limit))
          unpacked = entry.isStored ? archive.file : try archive.unpacked(entry, in: space)
        } catch { throw .zip(path: path, error) }
        entries.append(
          try array(
            TensorName(utf8: Array(name)), beginning, byteCount: entry.byteCount, source: unpacked,
            start: entry.isStored ? entry.offset : 0, path: "\(path): \(String(utf8: fullName))", place,
            packed: entry.isStored ? nil : entry))
      } catch {
        guard case .numPy(_, .unknownDType) = error else { throw error }
        strangers.append((String(utf8: name), error))
      }
    }
    guard let first = strangers.first else { return (entries, []) }
    guard !entries.isEmpty else { throw first.error }
    let others = strangers.count > 1 ? " and \(strangers.count - 1) more" : ""
    return (entries, ["passed over '\(first.name)'\(others): no plain numbers"])
  }

  /// The array of a npy file, named after the file.
  static func entry(
    of file: ReadableFile, path: String, _ place: (folder: String, fileIndex: Int)
  ) throws(CheckpointError) -> Checkpoint.Entry {
    let name = Folder.split(path).name
    let stem = name.hasSuffix(".npy") ? String(name.dropLast(4)) : name
    let beginning: [UInt8]
    do { beginning = try file.bytes(at: 0, count: min(file.byteCount, NumPyHeader.limit)) } catch { throw .file(error) }
    return try array(
      TensorName(stem), beginning, byteCount: file.byteCount, source: file, start: 0, path: path, place)
  }

  /// - Parameters:
  ///   - beginning: the first bytes of the array, with its header.
  ///   - start: where they lie in the source.
  ///   - packed: the entry of a deflated array.
  private static func array(
    _ name: TensorName, _ beginning: [UInt8], byteCount: Int, source: any ByteSource, start: Int, path: String,
    _ place: (folder: String, fileIndex: Int), packed: ZipArchive.Entry? = nil
  ) throws(CheckpointError) -> Checkpoint.Entry {
    let header: NumPyHeader
    do { header = try NumPyHeader(beginning, byteCount: byteCount) } catch { throw .numPy(path: path, error) }
    guard !name.utf8.isEmpty else { throw .numPy(path: path, .noName) }
    guard let info = TensorInfo(name: name, dtype: header.dtype, shape: header.shape) else {
      throw .numPy(path: path, .badShape)
    }
    var content = Checkpoint.Content.plain
    var form: Checkpoint.StoredRun.Form?
    if header.isFortranOrder, info.shape.count > 1, info.elementCount > 0 {
      let strides = Strides(
        shape: info.shape, steps: info.shape.indices.map { info.shape[..<$0].reduce(1, *) })
      let first = start + header.dataOffset
      content = .decoded(
        StridedView(
          source, start: first, strides: strides, width: info.dtype.bitWidth / 8,
          packedByteCount: packed?.packedByteCount))
      form = .view(
        StoredView(dtype: info.dtype, strides: strides, storageOffset: 0, storage: first..<first + info.byteCount))
    } else if let packed {
      content = .decoded(
        UnpackedArray(source: source, offset: header.dataOffset, storedByteCount: packed.packedByteCount))
    }
    if packed != nil { form = .packed(info.dtype) }
    let entry = Checkpoint.Entry(
      info: info, folder: place.folder, fileIndex: place.fileIndex, offset: packed?.offset ?? start + header.dataOffset,
      content: content)
    return form.map { entry.stored(as: $0) } ?? entry
  }
}

/// A deflated array.
private struct UnpackedArray: StoredTensor {
  let encodingName = "deflate"
  var isLossy: Bool { false }
  let source: any ByteSource
  let offset: Int
  let storedByteCount: Int

  func read(at offset: Int, into buffer: UnsafeMutableRawBufferPointer) throws(FileError) {
    try source.read(at: self.offset + offset, into: buffer)
  }
}
