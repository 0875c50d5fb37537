import Tensors

/// A tensor that does not lie in its file as plain bytes, or not in one run, with the way to them: the door through which every
/// stored form comes, whatever program has written it.
public protocol StoredTensor: Sendable {
  /// The form, in its own field's words: `int4-g32`, `Q4_K`, `view`, `nf4`.
  var encodingName: String { get }
  /// Bytes that it takes in its files, side tensors included.
  var storedByteCount: Int { get }
  /// Whether values were quantized on their way into it.
  var isLossy: Bool { get }
  /// Gives plain row-major bytes in the tensor's dtype.
  /// - Parameters:
  ///   - offset: from the tensor's first byte, a multiple of the element's size.
  ///   - buffer: filled whole; lies within the tensor.
  func read(at offset: Int, into buffer: UnsafeMutableRawBufferPointer) throws
}

/// A stored tensor whose values are f32.
public protocol StoredFloats: StoredTensor {
  /// Writes the values from element `first` on, row-major.
  func decode(from first: Int, into out: UnsafeMutableBufferPointer<Float>) throws
}

extension StoredFloats {
  public var isLossy: Bool { true }

  public func read(at offset: Int, into buffer: UnsafeMutableRawBufferPointer) throws {
    precondition(offset % 4 == 0 && buffer.count % 4 == 0, "decoded values are read in whole elements")
    let count = buffer.count / 4
    guard Int(bitPattern: buffer.baseAddress) % 4 != 0 else {
      return try decode(from: offset / 4, into: buffer.assumingMemoryBound(to: Float.self))
    }
    let aligned = try AlignedBuffer(byteCount: buffer.count)
    try decode(
      from: offset / 4,
      into: UnsafeMutableBufferPointer(rebasing: aligned.bytes.assumingMemoryBound(to: Float.self)[..<count]))
    buffer.copyMemory(from: UnsafeRawBufferPointer(aligned.bytes))
  }
}
