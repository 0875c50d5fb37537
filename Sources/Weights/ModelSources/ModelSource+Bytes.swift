import Tensors

extension ModelSource {
  /// Whether a tensor has the same bytes as one of another source, or of this one.
  /// - Precondition: both are readable and of one size.
  package func hasSameBytes(_ number: Int, as other: Int, of source: ModelSource, _ resources: Resources) throws -> Bool
  {
    let (first, second) = (
      try AlignedBuffer(byteCount: Resources.streamByteCount), try AlignedBuffer(byteCount: Resources.streamByteCount)
    )
    var offset = 0
    var isEqual = true
    try stream(number, through: first, cancellation: resources.cancellation) { bytes in
      resources.progress(bytes.count)
      guard isEqual else { return }
      let part = UnsafeMutableRawBufferPointer(rebasing: second.bytes[..<bytes.count])
      try source.read(other, at: offset, into: part)
      isEqual = bytes.elementsEqual(part)
      offset += bytes.count
    }
    return isEqual
  }
}
