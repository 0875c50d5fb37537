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

  /// Writes one row: its sums, plus the bias, and what follows.
  /// - Parameter out: the whole row, of which `outputs` are written.
  func finish(_ row: Int, out: UnsafeMutablePointer<Float>, bias: Vector?, then tail: Tail) {
    let sums = base + row * outputs.count
    let out = out + outputs.lowerBound
    if let bias { Elementwise.add(bias.values + outputs.lowerBound, to: sums, count: outputs.count) }
    switch tail {
    case .nothing: break
    case .add(let residual): Elementwise.add(residual + outputs.lowerBound, to: sums, count: outputs.count)
    case .gate(let gate):
      return Elementwise.siluGate(out: out, gate: gate + outputs.lowerBound, value: sums, count: outputs.count)
    }
    out.update(from: sums, count: outputs.count)
  }

  /// What follows a product in the same pass over its rows.
  enum Tail {
    case nothing
    /// A row like the result, which it may be.
    case add(UnsafePointer<Float>)
    /// `silu(gate) * value`, the gate a row like the result, which it may be.
    case gate(UnsafePointer<Float>)
  }
}
