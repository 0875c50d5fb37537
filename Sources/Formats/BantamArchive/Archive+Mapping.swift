import Kernels
import Tensors

extension Archive {
  /// The bytes of a plane where they lie in the mapped file: nothing is copied. Each chunk is checked when it is first touched.
  ///
  /// The bytes are valid as long as the mapping lives.
  /// - Throws: ``ArchiveError/chunkDamaged(path:name:offset:)``, or a file error when the file has become shorter.
  public func bytes(
    of plane: ArchiveIndex.Plane, named name: TensorName, in mapping: MappedFile
  ) throws(ArchiveError) -> UnsafeRawBufferPointer {
    let bytes = mapping.bytes(at: plane.offset, count: plane.byteCount)
    let grain = superblock.geometry.chunkByteCount
    for (number, sum) in plane.sums.enumerated() {
      let start = number * grain
      let piece = UnsafeRawBufferPointer(rebasing: bytes[start..<min(start + grain, bytes.count)])
      try checkOnce(piece, sum, key: plane.offset + start, name: name.text)
    }
    if mapping.isTorn {
      throw .file(.shrank(path: path, offset: plane.offset, expectedByteCount: superblock.fileByteCount))
    }
    return bytes
  }
}
