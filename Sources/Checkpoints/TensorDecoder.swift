import Tensors

/// How the plain bytes of a tensor come about where they do not lie in a file as they are.
public protocol TensorDecoder: Sendable {
  /// The form in which the tensor is stored, in its own field's words: `Q4_K`, `view`, `nf4`.
  var encoding: String { get }
  /// Bytes that it takes in its files, side tensors included.
  var storedByteCount: Int { get }
  /// Whether values were quantized on their way into it.
  var isLossy: Bool { get }
  /// Gives plain row-major bytes in the tensor's dtype.
  /// - Parameters:
  ///   - offset: from the tensor's first byte, a multiple of the element's size.
  ///   - buffer: filled whole; lies within the tensor.
  func read(at offset: Int, into buffer: UnsafeMutableRawBufferPointer) throws(FileError)
}

/// A decoder whose values are f32.
protocol FloatDecoder: TensorDecoder {
  /// Writes the values from element `first` on, row-major.
  func decode(from first: Int, into out: UnsafeMutableBufferPointer<Float>) throws(FileError)
}

extension FloatDecoder {
  var isLossy: Bool { true }

  func read(at offset: Int, into buffer: UnsafeMutableRawBufferPointer) throws(FileError) {
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
