import Encodings
import Kernels
import Tensors
import Testing
import TestSupport

/// Packing gives the bits of decoding rows and turning them, with zeros beyond the outputs.
/// - Parameters:
///   - coded: 50 rows of one segment.
///   - rows: the values, `[rows, columns]`.
func expectPanels(of coded: EncodedValues, hold rows: [Float]) throws {
  let memory = try AlignedBuffer(byteCount: 1 << 16)
  let columns = coded.shape.columns
  for outputs in [0..<32, 32..<50] {
    var panel = [Float](repeating: 7, count: columns * 32)
    coded.encoding.pack(
      coded.matrix, outputs: outputs, inputs: 0..<columns, into: &panel, scratch: Scratch(memory.bytes))
    for column in 0..<columns {
      for output in 0..<32 {
        let expected = output < outputs.count ? rows[(outputs.lowerBound + output) * columns + column] : 0
        #expect(panel[column * 32 + output] == expected)
      }
    }
  }
}
