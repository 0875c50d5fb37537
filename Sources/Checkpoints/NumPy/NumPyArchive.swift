import Tensors
import Zip

/// NumPy arrays: one in a npy file, or several in the zip archive of a npz file.
enum NumPyArchive {
  /// Whether all entries of an archive are arrays.
  static func isOne(_ archive: ZipArchive) -> Bool {
    !archive.entries.isEmpty
      && archive.entries.allSatisfy { archive.name(of: $0).reversed().starts(with: ".npy".utf8.reversed()) }
  }

  /// The arrays of a npz file, named as NumPy names them.
  static func entries(
    _ archive: ZipArchive, path: String, _ place: (folder: String, fileIndex: Int)
  ) throws(CheckpointError) -> [Checkpoint.Entry] {
    var entries: [Checkpoint.Entry] = []
    for entry in archive.entries {
      let entryName = archive.name(of: entry)
      let name = TensorName(utf8: Array(entryName.dropLast(4)))
      let place = (path: "\(path): \(printable(entryName))", folder: place.folder, fileIndex: place.fileIndex)
      if entry.isStored {
        entries.append(try array(name, archive.file, offset: entry.offset, byteCount: entry.byteCount, place))
      } else {
        let unpacked: any ByteSource
        do { unpacked = try archive.unpacked(entry) } catch { throw .zip(path: path, error) }
        entries.append(
          try array(
            name, unpacked, offset: 0, byteCount: entry.byteCount, place, packedByteCount: entry.packedByteCount))
      }
    }
    return entries
  }

  /// The array of a npy file, named after the file.
  static func entries(
    of file: ReadableFile, path: String, _ place: (folder: String, fileIndex: Int)
  ) throws(CheckpointError) -> [Checkpoint.Entry] {
    let name = Folder.split(path).name
    let stem = name.hasSuffix(".npy") ? String(name.dropLast(4)) : name
    let place = (path: path, folder: place.folder, fileIndex: place.fileIndex)
    return [try array(TensorName(stem), file, offset: 0, byteCount: file.byteCount, place)]
  }

  /// - Parameter packedByteCount: bytes of a deflated array in its file; nil for one that lies there as it is.
  private static func array(
    _ name: TensorName, _ source: any ByteSource, offset: Int, byteCount: Int,
    _ place: (path: String, folder: String, fileIndex: Int), packedByteCount: Int? = nil
  ) throws(CheckpointError) -> Checkpoint.Entry {
    let header: NumPyHeader
    do { header = try NumPyHeader(source, offset: offset, byteCount: byteCount) } catch {
      throw .numPy(path: place.path, error)
    }
    guard !name.utf8.isEmpty, let info = TensorInfo(name: name, dtype: header.dtype, shape: header.shape) else {
      throw .numPy(path: place.path, .badShape)
    }
    var content = Checkpoint.Content.plain
    if header.isFortranOrder, info.shape.count > 1, info.elementCount > 0 {
      var strides: [Int] = []
      for (position, _) in info.shape.enumerated() { strides.append(info.shape[..<position].reduce(1, *)) }
      content = .decoded(
        StridedView(
          source, start: header.dataOffset, shape: info.shape, strides: strides, width: info.dtype.bitWidth / 8))
    } else if let packedByteCount {
      content = .decoded(UnpackedArray(source: source, offset: header.dataOffset, storedByteCount: packedByteCount))
    }
    return Checkpoint.Entry(
      info: info, folder: place.folder, fileIndex: place.fileIndex,
      offset: packedByteCount == nil ? header.dataOffset : 0,
      content: content)
  }
}

/// A deflated array.
private struct UnpackedArray: TensorDecoder {
  let encoding = "deflate"
  let source: any ByteSource
  let offset: Int
  let storedByteCount: Int

  func read(at offset: Int, into buffer: UnsafeMutableRawBufferPointer) throws(FileError) {
    try source.read(at: self.offset + offset, into: buffer)
  }
}
