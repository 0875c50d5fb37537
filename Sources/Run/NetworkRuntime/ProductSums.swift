import Kernels

/// The sums of a product while its blocks of inputs are added up, in a worker's memory. Bias and residual, which may be far larger, come
/// last: what is added to them is rounded once.
struct ProductSums {
  /// `[rows, outputs]`.
  let base: UnsafeMutablePointer<Float>
  private let outputs: Range<Int>

  /// Memory for sums, not written yet.
  init(_ scratch: inout Scratch, rows: Int, outputs: Range<Int>) {
    base = scratch.take(Float.self, rows * outputs.count)
    self.outputs = outputs
  }

  /// Writes one row: its sums, plus the bias, and what follows.
  /// - Parameter out: the whole row, of which `outputs` are written.
  func finish(_ row: Int, out: UnsafeMutablePointer<Float>, bias: Vector?, then tail: Tail) {
    let sums = base + row * outputs.count
    let out = out + outputs.lowerBound
    let bias = bias.map { $0.values + outputs.lowerBound }
    switch (tail, bias) {
    case (.nothing, nil): out.update(from: sums, count: outputs.count)
    case (.nothing, let bias?): Elementwise.sum(sums, bias, into: out, count: outputs.count)
    case (.add(let residual), nil):
      Elementwise.sum(sums, residual + outputs.lowerBound, into: out, count: outputs.count)
    case (.add(let residual), let bias?):
      Elementwise.sum(sums, bias, residual + outputs.lowerBound, into: out, count: outputs.count)
    case (.gate(let gate), _):
      if let bias { Elementwise.add(bias, to: sums, count: outputs.count) }
      Elementwise.siluGate(out: out, gate: gate + outputs.lowerBound, value: sums, count: outputs.count)
    }
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
