import NetworkRuntime

extension Execution {
  /// A picture of twice the sides: nearest neighbours, then a convolution. Gives the old one back.
  package func upsample(_ x: Activation, _ layer: Convolution) throws -> Activation {
    let double = take(batch: x.batch, height: 2 * x.height, width: 2 * x.width, channels: x.channels)
    try convolve(layer, ConvolutionInput(x, isDoubled: true), into: double)
    give(x)
    return double
  }
}
