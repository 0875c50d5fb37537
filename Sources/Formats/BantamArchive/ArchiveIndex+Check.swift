import Encodings
import Tensors

/// A range of bytes in a file that belongs to something.
struct Extent {
  let offset: Int
  let byteCount: Int
  let owner: String
  var end: Int { offset + byteCount }
}

extension ArchiveIndex {
  /// All planes and carried files, by offset.
  func extents() -> [Extent] {
    var extents = blobs.map { Extent(offset: $0.offset, byteCount: $0.byteCount, owner: $0.name) }
    for tensor in tensors {
      extents += tensor.planes.map { Extent(offset: $0.offset, byteCount: $0.byteCount, owner: tensor.info.name.text) }
    }
    return extents.sorted { ($0.offset, $0.byteCount) < ($1.offset, $1.byteCount) }
  }

  /// Checks that planes and carried files lie in the payload, apart from each other, with the right sizes and counts.
  /// - Throws: ``ArchiveError``.
  func checkRanges(path: String, payloadEnd: Int, geometry: Superblock.Geometry) throws(ArchiveError) {
    func isInside(_ offset: Int, _ count: Int) -> Bool {
      offset >= 2 * Superblock.byteCount && count <= payloadEnd && offset <= payloadEnd - count
    }
    func chunkCount(_ count: Int) -> Int { (count + geometry.chunkByteCount - 1) / geometry.chunkByteCount }
    for blob in blobs {
      guard isInside(blob.offset, blob.byteCount) else {
        throw .planeOutOfBounds(path: path, tensor: TensorName(blob.name))
      }
      guard blob.sums.count == chunkCount(blob.byteCount) else {
        throw .sumCount(path: path, name: blob.name, expected: chunkCount(blob.byteCount), found: blob.sums.count)
      }
    }
    for component in components {
      guard isInside(component.arenaOffset, component.arenaByteCount) || component.arenaByteCount == 0 else {
        throw .planeOutOfBounds(path: path, tensor: TensorName(component.name))
      }
    }
    for tensor in tensors {
      for plane in tensor.planes {
        guard isInside(plane.offset, plane.byteCount) else {
          throw .planeOutOfBounds(path: path, tensor: tensor.info.name)
        }
        guard plane.offset % geometry.smallAlignment == 0 else {
          throw .planeMisaligned(path: path, tensor: tensor.info.name, offset: plane.offset)
        }
        guard plane.sums.count == chunkCount(plane.byteCount) else {
          throw .sumCount(
            path: path, name: tensor.info.name.text, expected: chunkCount(plane.byteCount), found: plane.sums.count)
        }
      }
      try checkPlanes(tensor, path: path)
    }
    var previous: Extent?
    for extent in extents() where extent.byteCount > 0 {
      if let previous, extent.offset < previous.end {
        throw .overlap(path: path, first: previous.owner, second: extent.owner)
      }
      previous = extent
    }
  }

  /// Planes of an encoding that is known have the kinds and sizes that it asks for. A layout that is not known spoils only its tensor.
  private func checkPlanes(_ tensor: Tensor, path: String) throws(ArchiveError) {
    let stored = encodings[tensor.encoding]
    guard tensor.aliasOf == nil, let encoding = KnownEncodings.named(stored.name, parameters: stored.parameters) else {
      return
    }
    do throws(PlaneProblem) { _ = try encoding.shape(of: tensor.info, planes: shapes(of: tensor.planes)) } catch {
      switch error {
      case .unknownLayout: return
      case .notOfEncoding: throw .planeMissing(path: path, tensor: tensor.info.name)
      case .badLayout(let plane): throw .badLayout(path: path, index: tensor.planes[plane].layout)
      case .size(_, let expected, let found):
        throw .planeSize(path: path, tensor: tensor.info.name, expected: expected, found: found)
      }
    }
  }
}
