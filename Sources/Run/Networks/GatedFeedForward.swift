import NetworkRuntime

/// `down(silu(gate(x)) * up(x))`. Source: Shazeer, "GLU Variants Improve Transformer".
package struct GatedFeedForward: Sendable {
  package let gate, up, down: Linear
  package let product: String

  /// Tokens that go through at once: 64 MiB of inner values, so that long sequences need no memory of many times their own.
  package let pieceLength: Int

  /// - Parameter needsExactUp: whether the values' activations lose too much in 8 bits beside weights of 8 bits.
  package init(
    _ source: any WeightSource, _ path: String, width: Int, inner: Int, hasBias: Bool, needsExactUp: Bool = false
  ) throws {
    gate = try Linear(source, path + ".gate_proj", inputs: width, outputs: inner, hasBias: hasBias)
    up = try Linear(
      source, path + ".up_proj", inputs: width, outputs: inner, hasBias: hasBias, needsExactActivations: needsExactUp)
    down = try Linear(source, path + ".down_proj", inputs: inner, outputs: width, hasBias: hasBias)
    product = path + ".product"
    pieceLength = max(64, (1 << 24) / inner)
  }

  /// - Parameters:
  ///   - normed: `[n, width]` of one sample.
  ///   - x: like it; the result is added.
  package func forward(_ run: Execution, _ normed: Activation, addingTo x: Activation) throws {
    for first in stride(from: 0, to: x.pixelCount, by: pieceLength) {
      let tokens = first..<min(x.pixelCount, first + pieceLength)
      let (input, output) = (normed.tokens(tokens), x.tokens(tokens))
      let gated = run.take(like: input, channels: gate.weight.outputs)
      try run.linear(gate, input, into: gated)
      try run.linear(up, input, gating: gated, product: product)
      try run.linear(down, gated, plus: output, into: output)
      run.give(gated)
    }
  }
}
