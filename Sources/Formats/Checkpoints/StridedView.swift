import Encodings
import Synchronization
import Tensors

/// A view whose elements do not lie one after another: transposed, cut out, repeated.
final class StridedView: StoredTensor {
  let encodingName = "view"
  var isLossy: Bool { false }
  let storedByteCount: Int
  private let source: any ByteSource
  private let start: Int
  private let shape: [Int]
  private let strides: [Int]
  private let width: Int
  /// Bytes from the first element to the end of the last.
  private let span: Int
  private let memory = Mutex<Memory?>(nil)

  /// The bytes from the first element to the end of the last.
  private struct Memory: Sendable {
    nonisolated(unsafe) let bytes: UnsafeRawBufferPointer
    /// The file where it is mapped, or else what holds a copy.
    let mapping: MappedFile?
    let copy: AlignedBuffer?
  }

  /// - Parameters:
  ///   - start: where the first element lies in the file. All elements are known to lie within it.
  ///   - strides: in elements.
  ///   - width: bytes of an element.
  init(_ source: any ByteSource, start: Int, shape: [Int], strides: [Int], width: Int) {
    self.source = source
    self.start = start
    self.shape = shape
    self.strides = strides
    self.width = width
    span = (zip(shape, strides).reduce(0) { $0 + ($1.0 - 1) * $1.1 } + 1) * width
    storedByteCount = span
  }

  /// Mapped where it is a plain file; what must be unpacked is held as a whole.
  private func held() throws(FileError) -> Memory {
    try memory.withLock { (memory) throws(FileError) in
      if let memory { return memory }
      let held: Memory
      if let file = source as? ReadableFile {
        let mapping = try file.mapped()
        held = Memory(bytes: mapping.bytes(at: start, count: span), mapping: mapping, copy: nil)
      } else {
        let copy = try AlignedBuffer(byteCount: span)
        try source.read(at: start, into: copy.bytes)
        held = Memory(bytes: UnsafeRawBufferPointer(copy.bytes), mapping: nil, copy: copy)
      }
      memory = held
      return held
    }
  }

  func read(at offset: Int, into buffer: UnsafeMutableRawBufferPointer) throws(FileError) {
    let memory = try held()
    let columns = shape.last ?? 1
    let stride = strides.last ?? 0
    var element = offset / width
    var done = 0
    while done < buffer.count {
      // A run within the innermost dimension.
      let column = element % columns
      let count = min(columns - column, (buffer.count - done) / width)
      var place = column * stride
      var rest = element / columns
      for (size, stride) in zip(shape, strides).dropLast().reversed() {
        place += rest % size * stride
        rest /= size
      }
      copy(memory.bytes, from: place * width, stride: stride * width, count: count, to: buffer, at: done)
      element += count
      done += count * width
    }
    if let mapping = memory.mapping, mapping.isTorn {
      throw .shrank(path: source.path, offset: start, expectedByteCount: source.byteCount)
    }
  }

  private func copy(
    _ source: UnsafeRawBufferPointer, from place: Int, stride: Int, count: Int,
    to buffer: UnsafeMutableRawBufferPointer, at offset: Int
  ) {
    let target = UnsafeMutableRawBufferPointer(rebasing: buffer[offset..<offset + count * width])
    if stride == width {
      target.copyMemory(from: UnsafeRawBufferPointer(rebasing: source[place..<place + count * width]))
    } else {
      for index in 0..<count {
        let from = place + index * stride
        UnsafeMutableRawBufferPointer(rebasing: target[(index * width)..<(index * width + width)])
          .copyMemory(from: UnsafeRawBufferPointer(rebasing: source[from..<from + width]))
      }
    }
  }
}
