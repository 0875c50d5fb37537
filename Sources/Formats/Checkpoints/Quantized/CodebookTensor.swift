import Encodings
import Tensors

/// 4-bit codes into a book of 16 values, scaled by the largest magnitude of each block: nf4 and fp4 of bitsandbytes.
///
/// Source: bitsandbytes, `functional.py`. The first element of a pair stands in the high nibble.
struct CodebookTensor: StoredFloats {
  /// Block scales that are themselves quantized: 8-bit codes, a book of 256 values, scales, an offset.
  struct Nested {
    let book: [Float]
    let scales: Plane
    let blockSize: Int
    let offset: Float
  }

  let encodingName: String
  let storedByteCount: Int
  let codes: Plane
  let book: [Float]
  let scales: Plane
  let blockSize: Int
  let nested: Nested?
  /// The type that the values are rounded to.
  let dtype: DType

  func decode(from first: Int, into out: UnsafeMutableBufferPointer<Float>) throws(FileError) {
    guard !out.isEmpty else { return }
    let last = first + out.count - 1
    let bytes = try codes.bytes(at: first / 2, count: last / 2 - first / 2 + 1)
    let blocks = first / blockSize..<last / blockSize + 1
    let scales = try blockScales(blocks)
    for index in 0..<out.count {
      let element = first + index
      let byte = bytes[element / 2 - first / 2]
      let code = element.isMultiple(of: 2) ? byte >> 4 : byte & 15
      out[index] = rounded(book[Int(code)] * scales[element / blockSize - blocks.lowerBound], to: dtype)
    }
  }

  private func blockScales(_ blocks: Range<Int>) throws(FileError) -> [Float] {
    guard let nested else { return try scales.floats(at: blocks.lowerBound, count: blocks.count) }
    let codes = try scales.bytes(at: blocks.lowerBound, count: blocks.count)
    let outer = blocks.lowerBound / nested.blockSize..<(blocks.upperBound - 1) / nested.blockSize + 1
    let outerScales = try nested.scales.floats(at: outer.lowerBound, count: outer.count)
    return zip(blocks, codes).map { block, code in
      nested.book[Int(code)] * outerScales[block / nested.blockSize - outer.lowerBound] + nested.offset
    }
  }
}
