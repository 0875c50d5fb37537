import Foundation
import Networks

/// Noise levels of flow matching, as the release samples its features.
///
/// Source: diffusers, FlowMatchEulerDiscreteScheduler with shift 1 and sigmas given from outside; Lipman et al., "Flow
/// Matching for Generative Modeling".
public struct FlowMatchSchedule: Sendable, Equatable {
  /// `steps + 1` values, from 1 down, the last 0.
  public let sigmas: [Float]
  /// What the network is told: 1000 sigma, the fraction cut off.
  public let timesteps: [Int]

  public init(steps: Int) {
    precondition(steps > 0)
    let last = 1.0 / Double(steps)
    let step = steps > 1 ? (last - 1.0) / Double(steps - 1) : 0
    var sigmas = (0..<steps).map { Float(1.0 + Double($0) * step) }
    if steps > 1 { sigmas[steps - 1] = Float(last) }
    timesteps = sigmas.map { Int($0 * 1000) }
    self.sigmas = sigmas + [0]
  }
}

/// Noise levels of the picture decoder: Euler's method over the variance-exploding form, leading spacing.
///
/// Source: diffusers, EulerDiscreteScheduler; Karras et al., "Elucidating the Design Space of Diffusion-Based Generative
/// Models".
public struct EulerSchedule: Sendable, Equatable {
  /// `steps + 1` values, falling, the last 0.
  public let sigmas: [Float]
  public let timesteps: [Float]

  /// Factor of the first noise. Leading spacing starts below the last training step.
  public var firstScale: Float { (sigmas[0] * sigmas[0] + 1).squareRoot() }

  /// What the latents are divided by before the network reads them.
  public func inputScale(_ step: Int) -> Float { 1 / (sigmas[step] * sigmas[step] + 1).squareRoot() }

  init(_ config: SchedulerConfig, steps: Int) {
    let count = config.trainSteps
    let (start, end) = (config.betaStart.squareRoot(), config.betaEnd.squareRoot())
    var product = 1.0
    let trained: [Double] = (0..<count).map { index in
      let root = Float(start + (end - start) * Double(index) / Double(max(1, count - 1)))
      product *= Double(1 - root * root)
      let alpha = Float(product)
      return Double(((1 - alpha) / alpha).squareRoot())
    }
    let ratio = count / steps
    timesteps = (0..<steps).reversed().map { Float($0 * ratio + config.stepsOffset) }
    sigmas =
      timesteps.map { time in
        let position = min(Double(time), Double(count - 1))
        let lower = Int(position)
        let upper = min(lower + 1, count - 1)
        return Float(trained[lower] + (trained[upper] - trained[lower]) * (position - Double(lower)))
      } + [0]
  }
}

/// Source: scheduler_config.json of the decoder.
public struct SchedulerConfig: Sendable, Equatable {
  public let betaStart: Double
  public let betaEnd: Double
  public let trainSteps: Int
  public let stepsOffset: Int

  init(_ config: ConfigReader) throws(ConfigError) {
    betaStart = try config.double("beta_start")
    betaEnd = try config.double("beta_end")
    trainSteps = try config.int("num_train_timesteps", in: 1...100_000, default: 1000)
    stepsOffset = try config.int("steps_offset", in: 0...1000, default: 0)
    try config.require(
      betaStart > 0 && betaStart <= betaEnd && betaEnd < 1, "beta_start", "does not lie between 0 and beta_end")
    try config.close(.scheduler)
    // What diffusers takes where the file says nothing is another schedule.
    for key in ["beta_schedule", "timestep_spacing"] {
      try config.require(config.has(key), key, "is missing: the default of diffusers is not implemented")
    }
  }
}
