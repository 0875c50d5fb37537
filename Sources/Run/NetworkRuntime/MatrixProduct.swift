import Encodings
import Kernels

/// The blocked product of rows of activations with outputs that are packed a panel at a time: linear layers, convolutions and the
/// two products of attention.
///
/// The terms of an output are summed in blocks of at most ``depth``: each sum starts at 0, is one chain of fused multiply-adds, and is
/// then added to what there is. The order of the blocks is that of the operand's, so that no cut into items changes a bit.
struct MatrixProduct: Sendable {
  /// What multiplies. Chosen once for a weight and a mode.
  enum Path: Sendable {
    /// Codes with activations of 8 bits, as they lie: nothing is packed.
    case dots
    /// Panels of f32, as exact as f32 is.
    case panels
    /// Pairs of bf16 on both sides, sums in f32.
    case pairs
    /// OpenBLAS in f32, over decoded rows.
    case blas(OpenBLAS)

    /// Bytes of an activation.
    var elementByteCount: Int { if case .pairs = self { 2 } else { 4 } }
  }

  /// Inputs that are packed at once: a panel of them stays in the second-level cache beside the activations.
  static let depth = 512
  /// Panels of an item at the most.
  static let groupLimit = 8

  let path: Path

  /// Sums up the products of rows with outputs.
  /// - Parameters:
  ///   - outputs: from a multiple of 32 on; at most ``groupLimit`` panels for OpenBLAS.
  ///   - sums: `[rows, sumsStride]`, of which the first `outputs.count` of each row are overwritten, or added to.
  func multiply(
    _ rows: ProductRows, _ operand: some ProductOperand, outputs: Range<Int>, into sums: UnsafeMutablePointer<Float>,
    sumsStride: Int, adding: Bool = false, scratch: Scratch
  ) {
    switch path {
    case .dots: preconditionFailure("codes are multiplied as they lie")
    case .panels:
      each(operand, outputs) { block, columns, column, isFirst in
        var scratch = scratch
        let panel = scratch.take(Float.self, block.parts * block.depth * PanelProduct.columns)
        operand.pack(block, outputs: columns, into: panel, scratch: scratch)
        for part in 0..<block.parts {
          for run in 0..<rows.runs {
            PanelProduct.multiply(
              a: rows.floats + run * rows.runStride + operand.offset(block, part: part), aStride: rows.stride,
              rows: rows.count, panel: panel + part * block.depth * PanelProduct.columns, depth: block.depth,
              c: sums + run * rows.count * sumsStride + column, cStride: sumsStride, columns: columns.count,
              adding: adding || !isFirst || part > 0)
          }
        }
      }
    case .pairs:
      each(operand, outputs) { block, columns, column, isFirst in
        var scratch = scratch
        let even = (block.depth + 1) / 2 * 2
        let panel = scratch.take(UInt16.self, block.parts * even * PanelProduct.columns)
        operand.packPairs(block, outputs: columns, into: panel, scratch: scratch)
        for part in 0..<block.parts {
          for run in 0..<rows.runs {
            PairProduct.multiply(
              a: rows.pairs + run * rows.runStride + operand.offset(block, part: part), aStride: rows.stride,
              rows: rows.count, panel: panel + part * even * PanelProduct.columns, depth: even,
              c: sums + run * rows.count * sumsStride + column, cStride: sumsStride, columns: columns.count,
              adding: adding || !isFirst || part > 0)
          }
        }
      }
    case .blas(let blas):
      var scratch = scratch
      let decoded = scratch.take(Float.self, outputs.count * Self.depth)
      for number in 0..<operand.blockCount {
        let block = operand.block(number)
        operand.decode(block, outputs: outputs, into: decoded)
        for run in 0..<rows.runs {
          blas.multiply(
            rows: rows.count, columns: outputs.count, depth: block.depth,
            a: rows.floats + run * rows.runStride + operand.offset(block, part: 0), aStride: rows.stride, b: decoded,
            bStride: block.depth, c: sums + run * rows.count * sumsStride, cStride: sumsStride,
            adding: adding || number > 0)
        }
      }
    }
  }

  /// Calls `body` for each block, of which the first is told, and each panel of outputs.
  private func each(
    _ operand: some ProductOperand, _ outputs: Range<Int>,
    _ body: (_ block: ProductBlock, _ outputs: Range<Int>, _ column: Int, _ isFirst: Bool) -> Void
  ) {
    for number in 0..<operand.blockCount {
      let block = operand.block(number)
      for output in stride(from: outputs.lowerBound, to: outputs.upperBound, by: PanelProduct.columns) {
        body(
          block, output..<min(outputs.upperBound, output + PanelProduct.columns), output - outputs.lowerBound,
          number == 0)
      }
    }
  }

  /// Bytes of a worker's memory that ``multiply(_:_:outputs:into:sumsStride:adding:scratch:)`` needs for blocks of `depth` inputs of `parts` parts.
  static func scratchByteCount(depth: Int = Self.depth, parts: Int = 1) -> Int {
    let panel = Scratch.byteCount(Float.self, parts * (depth + 1) * PanelProduct.columns)
    // Panels, what is decoded into them, and what is narrowed in between; or the rows of a group.
    return max(3 * panel, Scratch.byteCount(Float.self, groupLimit * PanelProduct.columns * Self.depth))
  }
}

/// Rows of activations: runs of rows, such as a row of a picture's pixels each.
struct ProductRows: @unchecked Sendable {
  // Unchecked: values that are written before they are shared.
  let base: UnsafeRawPointer
  /// Elements from row to row.
  let stride: Int
  /// Rows of a run.
  let count: Int
  var runs = 1
  /// Elements from run to run.
  var runStride = 0

  /// Some rows of the only run.
  func rows(_ range: Range<Int>, elementByteCount: Int) -> ProductRows {
    ProductRows(base: base + range.lowerBound * stride * elementByteCount, stride: stride, count: range.count)
  }

  var floats: UnsafePointer<Float> { base.assumingMemoryBound(to: Float.self) }
  var pairs: UnsafePointer<UInt16> { base.assumingMemoryBound(to: UInt16.self) }
}

/// Inputs that are multiplied at once: one run of them, or one for each of several taps.
struct ProductBlock {
  /// The first place.
  let first: Int
  /// Inputs of each part.
  let depth: Int
  var parts = 1
}

/// What activations are multiplied with: outputs by inputs, cut into blocks of inputs.
protocol ProductOperand {
  var blockCount: Int { get }
  func block(_ number: Int) -> ProductBlock
  /// Where a part's inputs lie in a row of activations.
  func offset(_ block: ProductBlock, part: Int) -> Int
  /// Packs at most 32 outputs: `[parts, depth, 32]` f32.
  func pack(_ block: ProductBlock, outputs: Range<Int>, into panel: UnsafeMutablePointer<Float>, scratch: Scratch)
  /// Packs at most 32 outputs: `[parts, ceil(depth / 2), 32, 2]` bf16.
  func packPairs(
    _ block: ProductBlock, outputs: Range<Int>, into panel: UnsafeMutablePointer<UInt16>, scratch: Scratch)
  /// Decodes outputs of a block of one part: `[outputs, depth]`.
  func decode(_ block: ProductBlock, outputs: Range<Int>, into out: UnsafeMutablePointer<Float>)
}

extension ProductOperand {
  func packPairs(
    _ block: ProductBlock, outputs: Range<Int>, into panel: UnsafeMutablePointer<UInt16>, scratch: Scratch
  ) { preconditionFailure("this operand is multiplied in f32") }

  func decode(_ block: ProductBlock, outputs: Range<Int>, into out: UnsafeMutablePointer<Float>) {
    preconditionFailure("this operand is packed")
  }
}
