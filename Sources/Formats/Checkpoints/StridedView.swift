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
  private let strides: Strides
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
  ///   - width: bytes of an element.
  ///   - packedByteCount: what the source takes in its file, where it must be unpacked.
  init(_ source: any ByteSource, start: Int, strides: Strides, width: Int, packedByteCount: Int? = nil) {
    self.source = source
    self.start = start
    self.strides = strides
    self.width = width
    span = strides.reach * width
    storedByteCount = packedByteCount ?? span
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
    let (columns, step) = (strides.columnCount, strides.columnStep)
    var element = offset / width
    var done = 0
    while done < buffer.count {
      // A run within the innermost dimension.
      let column = element % columns
      let count = min(columns - column, (buffer.count - done) / width)
      let place = strides.start(ofRow: element / columns) + column * step
      copy(memory.bytes, from: place * width, stride: step * width, count: count, to: buffer, at: done)
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
