import NetworkRuntime

/// Group norm, SiLU, convolution, twice, around a residual. Source: He et al., "Deep Residual Learning"; diffusers,
/// ResnetBlock2D.
package struct ResidualBlock: Sendable {
  package let path: String
  package let norm1, norm2: GroupNorm
  package let convolution1, convolution2: Convolution
  package let time: Linear?
  package let timeSum: String
  package let shortcut: Convolution?

  /// - Parameter timeWidth: of the time embedding; nil where there is none.
  package init(
    _ source: any WeightSource, _ path: String, channels: Int, outputs: Int, groups: Int, epsilon: Double,
    timeWidth: Int?
  ) throws {
    self.path = path
    let epsilon = Float(epsilon)
    norm1 = try GroupNorm(source, path + ".norm1", channels: channels, groups: groups, epsilon: epsilon)
    norm2 = try GroupNorm(source, path + ".norm2", channels: outputs, groups: groups, epsilon: epsilon)
    convolution1 = try Convolution(source, path + ".conv1", channels: channels, outputs: outputs)
    convolution2 = try Convolution(source, path + ".conv2", channels: outputs, outputs: outputs)
    time = try timeWidth.map { try Linear(source, path + ".time_emb_proj", inputs: $0, outputs: outputs) }
    timeSum = path + ".time_sum"
    shortcut =
      channels == outputs
      ? nil : try Convolution(source, path + ".conv_shortcut", channels: channels, outputs: outputs, kernel: 1)
  }

  /// - Parameters:
  ///   - x: `[batch, height, width, channels]`.
  ///   - embedding: `[batch, timeWidth]`, after SiLU.
  ///   - keeping: whether x must stay as it is; else it is given back, or becomes the result.
  /// - Returns: `[batch, height, width, outputs]`.
  package func forward(_ run: Execution, _ x: Activation, embedding: Activation?, keeping: Bool) throws -> Activation {
    let inner = run.take(like: x, channels: convolution1.outputs)
    let scale1 = try run.groupScale(norm1, x)
    try run.convolve(convolution1, ConvolutionInput(x, norm: scale1), into: inner)
    run.give(scale1)
    if let time, let embedding {
      let summand = run.take(like: embedding, channels: time.weight.outputs)
      try run.linear(time, embedding, into: summand)
      try run.addToPixels(timeSum, summand, to: inner)
      run.give(summand)
    }
    let scale2 = try run.groupScale(norm2, inner)
    let out: Activation
    if let shortcut {
      out = run.take(like: inner)
      try run.convolve(shortcut, ConvolutionInput(x), into: out)
      if !keeping { run.give(x) }
      try run.convolve(convolution2, ConvolutionInput(inner, norm: scale2), plus: out, into: out)
    } else {
      out = keeping ? run.take(like: x) : x
      try run.convolve(convolution2, ConvolutionInput(inner, norm: scale2), plus: x, into: out)
    }
    run.give(scale2)
    run.give(inner)
    try run.emit(path, out)
    return out
  }
}
