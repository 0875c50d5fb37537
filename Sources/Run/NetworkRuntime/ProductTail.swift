/// What follows a product, of all rows.
enum ProductTail: Sendable {
  case nothing
  case add(Activation)
  case gate(Activation)

  /// Times that activations like the result are read and written.
  var passCount: Int { if case .nothing = self { 1 } else { 2 } }
  /// Operations for each value of the result.
  var cost: Int { if case .gate = self { 9 } else { 0 } }

  func row(_ number: Int) -> ProductSums.Tail {
    switch self {
    case .nothing: .nothing
    case .add(let residual): .add(residual.row(number))
    case .gate(let gate): .gate(gate.row(number))
    }
  }
}

extension Execution {
  /// A product plus a residual, in one pass; apart where somebody wants to see the product or the sum.
  /// - Parameters:
  ///   - residual: like `out`, which it may be; nil: nothing is added.
  ///   - path: of the product; the sum is `PATH.sum`.
  ///   - product: makes the product with what follows it, in memory like `out`.
  func adding(
    _ residual: Activation?, to path: String, into out: Activation,
    _ product: (_ tail: ProductTail, _ out: Activation) throws -> Void
  ) throws {
    guard let residual else { return try product(.nothing, out) }
    precondition(residual.count == out.count)
    guard isApart(path, from: path + ".sum") else { return try product(.add(residual), out) }
    let own = take(like: out)
    defer { give(own) }
    try product(.nothing, own)
    try add(path + ".sum", own, residual, into: out)
  }
}
