import CKernels
import Kernels
import Tensors
import Testing
import TestSupport

@Suite struct PanelProductTests {
  @Test func productIsThatOfTheMatrices() {
    // 2 x 3 times 3 x 2, by hand; the panel's columns beyond 2 must not be read into the result.
    let a: [Float] = [1, 2, 3, 4, 5, 6]
    var panel = [Float](repeating: .nan, count: 3 * 32)
    for (index, value) in [(0, 1), (1, 2), (32, 3), (33, 4), (64, 5), (65, 6)] { panel[index] = Float(value) }
    var c: [Float] = [100, 0, 0, 0]
    c.withUnsafeMutableBufferPointer { c in
      PanelProduct.multiply(
        a: a, aStride: 3, rows: 2, panel: panel, depth: 3, c: c.baseAddress!, cStride: 2, columns: 2, adding: true)
    }
    #expect(c == [122, 28, 49, 64])
    c.withUnsafeMutableBufferPointer { c in
      PanelProduct.multiply(
        a: a, aStride: 3, rows: 2, panel: panel, depth: 3, c: c.baseAddress!, cStride: 2, columns: 2, adding: false)
    }
    #expect(c == [22, 28, 49, 64])
  }

  @Test(arguments: [DType.f32, .f16, .bf16]) func rowsOfEveryTypeArePacked(dtype: DType) {
    var generator = SeededGenerator(3)
    let kind = Int32(dtype == .f32 ? CK_F32 : dtype == .f16 ? CK_F16 : CK_BF16)
    let b = Elements(generator.normals(31 * 40), kind)
    var panel = [Float](repeating: 7, count: 33 * 32)
    b.bytes.withUnsafeBytes { raw in
      panel.withUnsafeMutableBufferPointer {
        PanelProduct.packRows(
          raw.baseAddress!, dtype: dtype, stride: 40, columns: 31, depth: 33, panel: $0.baseAddress!)
      }
    }
    #expect(panel == Twin.packRows(b.values, stride: 40, columns: 31, depth: 33))
  }

  /// bf16 operands through the checked front: the last of an odd number of inputs counts, the filler does not.
  @Test func pairProductIsThatOfTheMatrices() {
    var generator = SeededGenerator(5)
    let (rows, depth, columns) = (5, 33, 17)
    let a = generator.normals(rows * (depth + 1)).map(Twin.narrowBF16)
    let b = generator.normals(columns * depth).map(Twin.narrowBF16)
    var panel = [UInt16](repeating: 0xFFFF, count: (depth + 1) * 32)
    var c = [Float](repeating: 1, count: rows * columns)
    panel.withUnsafeMutableBufferPointer {
      PairProduct.packRows(b, stride: depth, columns: columns, depth: depth, panel: $0.baseAddress!)
    }
    c.withUnsafeMutableBufferPointer {
      PairProduct.multiply(
        a: a, aStride: depth + 1, rows: rows, panel: panel, depth: depth + 1, c: $0.baseAddress!, cStride: columns,
        columns: columns, adding: true)
    }
    for m in 0..<rows {
      for n in 0..<columns {
        let (row, weights) = (a[m * (depth + 1)..<m * (depth + 1) + depth], b[n * depth..<(n + 1) * depth])
        let expected = Twin.pairProduct(1, a: Array(row), weights: Array(weights))
        #expect(abs(Double(c[m * columns + n]) - expected.value) <= Double(depth) * 0x1p-23 * expected.magnitude)
      }
    }
  }

  @Test func openBLASAgreesWhereItIsThere() {
    guard let blas = OpenBLAS.shared else { return }
    var generator = SeededGenerator(6)
    let (rows, columns, depth) = (17, 40, 70)
    let (a, b) = (generator.normals(rows * depth), generator.normals(columns * depth))
    var c = [Float](repeating: 2, count: rows * columns)
    c.withUnsafeMutableBufferPointer {
      blas.multiply(
        rows: rows, columns: columns, depth: depth, a: a, aStride: depth, b: b, bStride: depth, c: $0.baseAddress!,
        cStride: columns, adding: true)
    }
    for m in 0..<rows {
      for n in 0..<columns {
        var sum = 2.0
        for k in 0..<depth { sum += Double(a[m * depth + k]) * Double(b[n * depth + k]) }
        #expect(abs(Double(c[m * columns + n]) - sum) < 1e-4)
      }
    }
  }
}
