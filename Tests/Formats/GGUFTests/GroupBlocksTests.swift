import Encodings
import GGUF
import Tensors
import Testing
import TestSupport

/// Groups as blocks decode to the same bits.
@Suite struct GroupBlocksTests {
  /// A stripe and a half; every code and scales of either sign, zero and tiny ones among them.
  private static let (rows, columns) = (23, 96)

  /// - Returns: the matrix, and what owns its planes.
  private func matrix(_ encoding: GroupEncoding, seed: UInt64) throws -> (EncodedMatrix, owner: [AlignedBuffer]) {
    var generator = SeededGenerator(seed)
    let shape = EncodedShape(MatrixShape(rows: Self.rows, columns: Self.columns), dtype: .f32)
    let planes = try encoding.planes(of: shape)!.enumerated().map { number, plane in
      let buffer = try AlignedBuffer(byteCount: plane.byteCount)
      var bytes = generator.bytes(plane.byteCount)
      // Scales that are finite numbers: the highest exponent stands for others.
      if number == 1 { for index in bytes.indices where index % 2 == 1 { bytes[index] &= 0xBF } }
      buffer.bytes.copyBytes(from: bytes)
      return buffer
    }
    return (EncodedMatrix(encoding, shape, planes: planes.map { UnsafeRawBufferPointer($0.bytes) }), planes)
  }

  @Test(arguments: [GroupEncoding.int4, .int8], [1, 2, 3] as [UInt64]) func valuesKeepEveryBit(
    encoding: GroupEncoding, seed: UInt64
  ) throws {
    let (matrix, owner) = try matrix(encoding, seed: seed)
    let blocks = try #require(GroupBlocks(encoding, matrix.shape, columns: Self.columns))
    #expect(blocks.type == (encoding.bits == 4 ? .q4_0 : .q8_0))
    let rowByteCount = blocks.rowByteCount(columns: Self.columns)
    var out = [UInt8](repeating: 0xEE, count: Self.rows * rowByteCount)
    for first in stride(from: 0, to: Self.rows, by: 16) {
      let count = min(16, Self.rows - first)
      // In two runs of columns, as wide rows are.
      for run in [0..<64, 64..<96] {
        let piece = encoding.piece(matrix, stripe: first / 16, columns: run)
        let runByteCount = blocks.rowByteCount(columns: run.count)
        var part = [UInt8](repeating: 0xEE, count: count * runByteCount)
        part.withUnsafeMutableBytes {
          blocks.write(codes: piece[0], scales: piece[1], rows: count, columns: run.count, into: $0)
        }
        for row in 0..<count {
          let place = (first + row) * rowByteCount + blocks.rowByteCount(columns: run.lowerBound)
          out.replaceSubrange(
            place..<place + runByteCount, with: part[row * runByteCount..<(row + 1) * runByteCount])
        }
      }
    }
    var expected = [Float](repeating: .nan, count: Self.rows * Self.columns)
    matrix.decode(outputs: 0..<Self.rows, inputs: 0..<Self.columns, into: &expected)
    var found = [Float](repeating: .nan, count: Self.rows * Self.columns)
    out.withUnsafeBytes { bytes in
      found.withUnsafeMutableBufferPointer { blocks.type.decode(bytes, blockCount: Self.rows * 3, into: $0) }
    }
    #expect(found.map(\.bitPattern) == expected.map(\.bitPattern))
    withExtendedLifetime(owner) {}
  }

  @Test func whatBlocksCannotHoldIsNone() {
    let flat = EncodedShape(MatrixShape(rows: 4, columns: 96), dtype: .f32)
    #expect(GroupBlocks(.int4, flat, columns: 48) == nil, "rows of a tensor that are no whole blocks")
    #expect(GroupBlocks(.int4, EncodedShape(MatrixShape(rows: 4, columns: 36), dtype: .f32), columns: 36) == nil)
    let kernels = EncodedShape(MatrixShape(rows: 4, columns: 32 * 9, taps: 9), dtype: .f32, order: .tapMajor)
    #expect(GroupBlocks(.int8, kernels, columns: 32) == nil, "tap after tap")
    #expect(GroupBlocks(.int8, EncodedShape(MatrixShape(rows: 0, columns: 0), dtype: .f32), columns: 0) == nil)
  }
}
