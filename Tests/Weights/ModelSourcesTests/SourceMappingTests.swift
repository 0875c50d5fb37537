import Encodings
import Foundation
import Kernels
import Tensors
import Testing
import TestSupport

@testable import ModelSources

/// Weights as products read them: where they lie, in whatever form, with the values that readers give.
@Suite struct SourceMappingTests {
  private static let fixtures = Repository.checkpoints

  @Test(arguments: [
    "gguf/types.gguf", "gguf/original-shape.gguf", "mlx/model.safetensors", "bitsandbytes/model.safetensors",
    "torch/plain.bin",
  ])
  func whatProductsReadIsWhatReadersGive(fixture: String) throws {
    let source = try ModelSource(path: Self.fixtures + "/" + fixture)
    let mapping = SourceMapping(source)
    let memory = try AlignedBuffer(byteCount: 4 << 20)
    for number in source.tensors.indices where source.isReadable(number) && !source.tensors[number].isPart {
      let info = source.tensors[number].info
      guard info.dtype.isCastable, info.elementCount > 0 else { continue }
      let tensor = try mapping.tensor(number)
      try tensor.check()
      let matrix = tensor.matrix
      let (rows, columns) = (matrix.shape.rows, matrix.shape.columns)
      let plain = try AlignedBuffer(byteCount: info.byteCount)
      try source.read(number, at: 0, into: plain.bytes)
      var expected = [Float](repeating: 0, count: rows * columns)
      ElementCast.widen(count: expected.count, from: plain.bytes.baseAddress!, info.dtype, to: &expected)
      var decoded = [Float](repeating: .nan, count: rows * columns)
      matrix.decode(outputs: 0..<rows, inputs: 0..<columns, into: &decoded)
      #expect(decoded.map(\.bitPattern) == expected.map(\.bitPattern), "\(info.name)")
      // Packed for a product: the first outputs, side by side.
      guard columns <= 512 else { continue }
      let outputs = min(32, rows)
      var panel = [Float](repeating: .nan, count: columns * 32)
      matrix.encoding.pack(
        matrix, outputs: 0..<outputs, inputs: 0..<columns, into: &panel, scratch: Scratch(memory.bytes))
      for index in panel.indices {
        let (column, output) = index.quotientAndRemainder(dividingBy: 32)
        let value = output < outputs ? expected[output * columns + column] : 0
        #expect(panel[index].bitPattern == value.bitPattern, "\(info.name)")
      }
    }
  }

  /// Blocks of GGUF files are not expanded; what other programs scatter over several tensors is.
  @Test func blocksAreReadWhereTheyLie() throws {
    let source = try ModelSource(path: Self.fixtures + "/gguf/types.gguf")
    let mapping = SourceMapping(source)
    let number = try #require(source.tensors.firstIndex { $0.info.name.text == "Q4_K" })
    let matrix = try mapping.tensor(number).matrix
    #expect(matrix.encoding.name == "Q4_K")
    #expect(matrix.planes.byteCount == source.tensors[number].storedByteCount)
    #expect(source.tensors[number].storedByteCount < source.tensors[number].info.byteCount / 7)
  }
}
