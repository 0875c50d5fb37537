import Kernels

/// The sums of a product while its blocks of inputs are added up, in a worker's memory. Bias and residual, which may be far larger, come
/// last: what is added to them is rounded once.
struct ProductSums {
  /// `[rows, outputs]`.
  let base: UnsafeMutablePointer<Float>
  private let outputs: Range<Int>

  /// Sums of nothing.
  init(_ scratch: inout Scratch, rows: Int, outputs: Range<Int>) {
    base = scratch.take(Float.self, rows * outputs.count)
    self.outputs = outputs
    base.update(repeating: 0, count: rows * outputs.count)
  }

  /// Writes one row: its sums, plus the bias, plus the residual.
  /// - Parameters:
  ///   - out: the whole row, of which `outputs` are written.
  ///   - residual: a row like `out`; may be `out`.
  func finish(_ row: Int, out: UnsafeMutablePointer<Float>, residual: UnsafePointer<Float>?, bias: Vector?) {
    let sums = base + row * outputs.count
    if let bias { Elementwise.add(bias.values + outputs.lowerBound, to: sums, count: outputs.count) }
    if let residual { Elementwise.add(residual + outputs.lowerBound, to: sums, count: outputs.count) }
    (out + outputs.lowerBound).update(from: sums, count: outputs.count)
  }
}
