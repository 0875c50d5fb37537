/// What an error of weights does to what a model makes. All grow with the energy of the error, and those of different tensors add up.
public enum Measure: String, Sendable, CaseIterable {
  /// Mean Kullback-Leibler divergence of the next token, in nats.
  case divergence = "kl"
  /// Energy of the features' errors over that of the features.
  case features
  /// The same of the latents.
  case latents
  /// Mean square error of the pictures, of values from 0 to 1.
  case picture
  /// Without runs: relative errors of the tensors, weighed by their sizes and roles.
  case weights
}

public typealias Effects = [Measure: Double]

extension Effects {
  static func + (a: Effects, b: Effects) -> Effects { a.merging(b) { $0 + $1 } }

  func scaled(by factor: Double) -> Effects { mapValues { $0 * factor } }
}
