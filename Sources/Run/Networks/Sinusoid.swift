import Foundation

/// Features of a number: cosines and sines at frequencies `10000^(-i/half)`. Source: Vaswani et al., "Attention Is All You
/// Need"; the order is that of the released configurations.
package enum Sinusoid {
  /// - Parameter out: `width` values, an even number.
  package static func fill(_ out: UnsafeMutablePointer<Float>, of number: Float, width: Int, sineFirst: Bool = false) {
    let half = width / 2
    for index in 0..<half {
      // In f32 all the way, as the released code has it: large numbers show the difference.
      let frequency = exp(Float(-log(10_000.0)) * Float(index) / Float(half))
      let angle = number * frequency
      out[index] = sineFirst ? sin(angle) : cos(angle)
      out[half + index] = sineFirst ? cos(angle) : sin(angle)
    }
  }
}
