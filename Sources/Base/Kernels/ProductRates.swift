import Tensors

/// Rates of products on one thread, found by trying: the best of a few runs on operands that stay in the cache.
public struct ProductRates {
  private static let (rows, columns, depth) = (192, 256, 512)

  private let a, b, c, panel: AlignedBuffer

  /// - Throws: ``FileError/outOfMemory(byteCount:)``.
  public init() throws(FileError) {
    a = try AlignedBuffer(byteCount: Self.rows * Self.depth * 4)
    b = try AlignedBuffer(byteCount: Self.columns * Self.depth * 4)
    c = try AlignedBuffer(byteCount: Self.rows * Self.columns * 4)
    panel = try AlignedBuffer(byteCount: PanelProduct.columns * Self.depth * 4)
    for buffer in [a, b, c, panel] { buffer.bytes.initializeMemory(as: UInt8.self, repeating: 0) }
  }

  /// GFLOP/s of f32 panels, packing counted.
  public func panels() -> Double {
    rate {
      for column in stride(from: 0, to: Self.columns, by: PanelProduct.columns) {
        PanelProduct.packRows(
          floats(b) + column * Self.depth, dtype: .f32, stride: Self.depth, columns: PanelProduct.columns,
          depth: Self.depth, panel: floats(panel))
        PanelProduct.multiply(
          a: floats(a), aStride: Self.depth, rows: Self.rows, panel: floats(panel), depth: Self.depth,
          c: floats(c) + column, cStride: Self.columns, columns: PanelProduct.columns, adding: true)
      }
    }
  }

  /// GFLOP/s of OpenBLAS; nil where there is none.
  public func openBLAS() -> Double? {
    OpenBLAS.shared.map { blas in
      rate {
        blas.multiply(
          rows: Self.rows, columns: Self.columns, depth: Self.depth, a: floats(a), aStride: Self.depth, b: floats(b),
          bStride: Self.depth, c: floats(c), cStride: Self.columns, adding: false)
      }
    }
  }

  /// GFLOP/s of pairs of bf16, packing counted; nil where there is no instruction for them.
  public func pairs() -> Double? {
    guard PairProduct.isFast else { return nil }
    return rate {
      for column in stride(from: 0, to: Self.columns, by: PanelProduct.columns) {
        PairProduct.packRows(
          halves(b) + column * Self.depth, stride: Self.depth, columns: PanelProduct.columns, depth: Self.depth,
          panel: halves(panel))
        PairProduct.multiply(
          a: halves(a), aStride: Self.depth, rows: Self.rows, panel: halves(panel), depth: Self.depth,
          c: floats(c) + column, cStride: Self.columns, columns: PanelProduct.columns, adding: true)
      }
    }
  }

  /// GOP/s of 8-bit dots with codes of `bits` bits, quantizing activations counted.
  public func dots(bits: Int) -> Double {
    dots { rows, output in
      DotProduct.multiply(
        rows, codes: UnsafeRawBufferPointer(b.bytes), scales: UnsafeRawBufferPointer(b.bytes), bits: bits,
        outputCount: Self.columns, into: output, stride: Self.columns)
    }
  }

  /// GOP/s of 8-bit dots with codes of learned levels, quantizing activations counted.
  public func dots(book: LevelBook) -> Double {
    let bytes = UnsafeRawBufferPointer(b.bytes)
    return dots { rows, output in
      DotProduct.multiply(
        rows, BookPlanes(codes: bytes, multiples: bytes, rowScales: bytes), book: book, outputCount: Self.columns,
        into: output, stride: Self.columns)
    }
  }

  private func dots(_ multiply: (_ rows: QuantizedRows, _ output: UnsafeMutablePointer<Float>) -> Void) -> Double {
    let groups = GroupTile.count(columns: Self.depth)
    // Rows enough for unpacked codes to be used, few enough for the first-level cache.
    let rowCount = Self.rows / 3
    let quantized = QuantizedGroups(panel.bytes.baseAddress!, count: rowCount * groups)
    return rate {
      withUnsafePointer(to: 0) { start in
        for row in stride(from: 0, to: Self.rows, by: rowCount) {
          quantized.quantize(floats(a) + row * Self.depth, rowCount: rowCount, columns: Self.depth, at: 0)
          multiply(
            QuantizedRows(
              quantized, first: 0, rowCount: rowCount, stride: groups, runs: .init(start: start, count: 1),
              runGroups: groups), floats(c) + row * Self.columns)
        }
      }
    }
  }

  private func floats(_ buffer: AlignedBuffer) -> UnsafeMutablePointer<Float> {
    buffer.bytes.assumingMemoryBound(to: Float.self).baseAddress!
  }

  private func halves(_ buffer: AlignedBuffer) -> UnsafeMutablePointer<UInt16> {
    buffer.bytes.assumingMemoryBound(to: UInt16.self).baseAddress!
  }

  private func rate(_ body: () -> Void) -> Double {
    body()
    let best = (0..<15).map { _ in
      let start = MonotonicClock.nanoseconds
      body()
      return MonotonicClock.nanoseconds - start
    }.min()!
    return Double(2 * Self.rows * Self.columns * Self.depth) / Double(max(1, best))
  }
}
