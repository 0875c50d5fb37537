import Kernels
import Tensors
import TestSupport
import Testing

@Suite struct PanelProductTests {
  /// The fast forms give the scalar twin's bits, for any number of rows, columns and inputs.
  @Test(arguments: [1, 2, 5, 11, 12, 13, 25]) func productEqualsItsScalarTwin(rows: Int) {
    var generator = SeededGenerator(UInt64(rows))
    for (depth, columns) in [(1, 1), (7, 15), (32, 16), (33, 17), (100, 31), (64, 32)] {
      let a = generator.normals(rows * (depth + 3))
      let panel = generator.normals(depth * 32)
      var fast = generator.normals(rows * (columns + 2))
      var truth = fast
      for useScalar in [false, true] {
        a.withUnsafeBufferPointer { a in
          panel.withUnsafeBufferPointer { panel in
            func run(_ c: inout [Float]) {
              c.withUnsafeMutableBufferPointer {
                PanelProduct.multiplyAdd(
                  a: a.baseAddress!, aStride: depth + 3, rows: rows, panel: panel.baseAddress!, depth: depth,
                  c: $0.baseAddress!, cStride: columns + 2, columns: columns, useScalar: useScalar)
              }
            }
            if useScalar { run(&truth) } else { run(&fast) }
          }
        }
      }
      #expect(fast.map(\.bitPattern) == truth.map(\.bitPattern), "\(depth) x \(columns)")
    }
  }

  @Test func productIsThatOfTheMatrices() {
    // 2 x 3 times 3 x 2, by hand; the panel's columns beyond 2 must not be read into the result.
    let a: [Float] = [1, 2, 3, 4, 5, 6]
    var panel = [Float](repeating: .nan, count: 3 * 32)
    for (index, value) in [(0, 1), (1, 2), (32, 3), (33, 4), (64, 5), (65, 6)] { panel[index] = Float(value) }
    var c: [Float] = [100, 0, 0, 0]
    c.withUnsafeMutableBufferPointer { c in
      PanelProduct.multiplyAdd(
        a: a, aStride: 3, rows: 2, panel: panel, depth: 3, c: c.baseAddress!, cStride: 2, columns: 2)
    }
    #expect(c == [122, 28, 49, 64])
  }

  @Test func packingEqualsItsScalarTwin() {
    var generator = SeededGenerator(3)
    for (columns, depth) in [(32, 64), (32, 65), (32, 31), (16, 40), (1, 3), (31, 32)] {
      for (dtype, width) in [(.bf16, 2), (.f16, 2), (.f32, 4)] as [(DType, Int)] {
        let bytes = generator.bytes((columns * (depth + 5)) * width)
        var (fast, truth) = (
          [Float](repeating: 1, count: depth * 32), [Float](repeating: 2, count: depth * 32)
        )
        bytes.withUnsafeBytes { raw in
          for useScalar in [false, true] {
            func run(_ panel: inout [Float]) {
              panel.withUnsafeMutableBufferPointer {
                PanelProduct.packRows(
                  raw.baseAddress!, dtype: dtype, stride: depth + 5, columns: columns, depth: depth,
                  panel: $0.baseAddress!, useScalar: useScalar)
              }
            }
            if useScalar { run(&truth) } else { run(&fast) }
          }
        }
        #expect(fast.map(\.bitPattern) == truth.map(\.bitPattern), "\(dtype) \(columns) x \(depth)")
      }
    }
  }

  /// bf16 operands: exact products, f32 sums; the instruction rounds a pair's sum in its own way.
  @Test func pairProductEqualsItsScalarTwin() {
    var generator = SeededGenerator(5)
    for (rows, depth, columns) in [(1, 2, 1), (13, 64, 32), (5, 33, 17), (12, 31, 32)] {
      let even = (depth + 1) / 2 * 2
      let a = generator.normals(rows * even).map { UInt16($0.bitPattern >> 16) }
      let b = generator.normals(columns * depth).map { UInt16($0.bitPattern >> 16) }
      var panel = [UInt16](repeating: 0xFFFF, count: even * 32)
      panel.withUnsafeMutableBufferPointer {
        PairProduct.packRows(b, stride: depth, columns: columns, depth: depth, panel: $0.baseAddress!)
      }
      var (fast, truth) = ([Float](repeating: 1, count: rows * columns), [Float](repeating: 1, count: rows * columns))
      func run(_ c: inout [Float], _ useScalar: Bool) {
        c.withUnsafeMutableBufferPointer {
          PairProduct.multiplyAdd(
            a: a, aStride: even, rows: rows, panel: panel, depth: even, c: $0.baseAddress!, cStride: columns,
            columns: columns, useScalar: useScalar)
        }
      }
      run(&fast, false)
      run(&truth, true)
      for (x, y) in zip(fast, truth) { #expect(abs(x - y) <= 1e-5 * Float(depth)) }
      // The last of an odd number of inputs counts, the filler does not.
      var expected = 1.0
      for k in 0..<depth {
        expected +=
          Double(Float(bitPattern: UInt32(a[k]) << 16)) * Double(Float(bitPattern: UInt32(b[k]) << 16))
      }
      #expect(abs(Double(truth[0]) - expected) < 1e-4)
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
