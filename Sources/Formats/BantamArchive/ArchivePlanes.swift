import Encodings
import Tensors

extension Archive {
  /// A tensor whose encoding and layouts are known, with the way to its values; nil for others, which are only listed.
  public func encoded(_ number: Int) -> EncodedTensor? {
    let owner = owner(of: number)
    let stored = index.encodings[owner.encoding]
    guard let encoding = KnownEncodings.named(stored.name, parameters: stored.parameters) else { return nil }
    return try? EncodedTensor(
      index.tensors[number].info, encoding, planes: index.shapes(of: owner.planes),
      source: ArchivePlanes(archive: self, tensor: owner))
  }

  /// - Throws: ``ArchiveError/unknownEncoding(path:tensor:encoding:)`` or ``ArchiveError/unknownLayout(path:tensor:)`` for a tensor
  ///   that is only listed.
  public func readable(_ number: Int) throws(ArchiveError) -> EncodedTensor {
    if let tensor = encoded(number) { return tensor }
    let (name, stored) = (index.tensors[number].info.name, encoding(of: number))
    guard KnownEncodings.named(stored.name, parameters: stored.parameters) == nil else {
      throw .unknownLayout(path: path, tensor: name)
    }
    throw .unknownEncoding(path: path, tensor: name, encoding: stored.name)
  }
}

/// The planes of a tensor in a file, each chunk checked when it is first touched.
private struct ArchivePlanes: PlaneSource {
  let archive: Archive
  let tensor: ArchiveIndex.Tensor

  func read(plane: Int, at offset: Int, into buffer: UnsafeMutableRawBufferPointer) throws {
    try archive.read(tensor.planes[plane], of: tensor.info.name, at: offset, into: buffer)
  }
}

extension ArchiveIndex {
  /// What planes hold and how.
  func shapes(of planes: [Plane]) -> [PlaneShape] {
    planes.map { PlaneShape(kind: $0.kind, layout: layouts[$0.layout], byteCount: $0.byteCount) }
  }
}
