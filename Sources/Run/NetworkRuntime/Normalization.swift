import Kernels
import Tensors

/// `x / sqrt(mean(x^2) + eps) * weight`. Source: Zhang and Sennrich, "Root Mean Square Layer Normalization".
public struct RMSNorm: Sendable {
  public let path: String
  public let weight: Vector
  public let epsilon: Float

  public init(_ source: any WeightSource, _ path: String, channels: Int, epsilon: Float) throws {
    self.path = path
    self.epsilon = epsilon
    weight = try source.vector(path + ".weight", shape: [channels])
  }
}

/// `(x - mean) / sqrt(variance + eps) * weight + bias`. Source: Ba, Kiros and Hinton, "Layer Normalization".
public struct LayerNorm: Sendable {
  public let path: String
  public let weight: Vector?
  public let bias: Vector?
  public let epsilon: Float

  public init(_ source: any WeightSource, _ path: String, channels: Int, epsilon: Float) throws {
    self.path = path
    self.epsilon = epsilon
    weight = try source.vector(path + ".weight", shape: [channels])
    bias = try source.vector(path + ".bias", shape: [channels])
  }

  /// Without weights.
  public init(path: String, epsilon: Float) {
    self.path = path
    self.epsilon = epsilon
    weight = nil
    bias = nil
  }
}

/// Normalization over groups of channels of a picture. Source: Wu and He, "Group Normalization".
public struct GroupNorm: Sendable {
  public let path: String
  public let weight: Vector
  public let bias: Vector
  public let groups: Int
  public let epsilon: Float

  public init(_ source: any WeightSource, _ path: String, channels: Int, groups: Int, epsilon: Float) throws {
    self.path = path
    self.groups = groups
    self.epsilon = epsilon
    weight = try source.vector(path + ".weight", shape: [channels])
    bias = try source.vector(path + ".bias", shape: [channels])
  }
}

/// A factor and a summand for each channel of each sample: what a group norm comes to once its sums are known.
public struct ChannelScale: Sendable {
  /// `[batch, 2, channels]`: factors, then summands.
  let values: Activation

  func scale(_ sample: Int) -> UnsafeMutablePointer<Float> { values.row(2 * sample) }
  func shift(_ sample: Int) -> UnsafeMutablePointer<Float> { values.row(2 * sample + 1) }
}

extension Execution {
  private func normOperation(_ path: String, _ x: Activation, times: Int, weights: Int) -> NetworkOperation {
    NetworkOperation(
      path: path, kind: .norm, operationCount: times * x.count, weightByteCount: weights * x.channels * 4,
      activationByteCount: 2 * x.byteCount)
  }

  /// - Parameters:
  ///   - scale: `[batch, channels]`; multiplies the result of each sample by `1 + scale`.
  ///   - out: like x; may be x.
  public func norm(_ layer: RMSNorm, _ x: Activation, scale: Activation? = nil, into out: Activation) throws {
    precondition(x.channels == layer.weight.count && out.count == x.count)
    try perform(normOperation(layer.path, x, times: 4, weights: 1), inputs: [x], output: out) {
      eachSample(x) { sample, rows in
        Norms.rms(
          out: out.row(rows.lowerBound), x.row(rows.lowerBound), weight: layer.weight.values,
          scale: scale.map { UnsafePointer($0.row(sample)) }, rows: rows.count, columns: x.channels,
          epsilon: layer.epsilon)
      }
    }
  }

  /// - Parameters:
  ///   - scale: `[batch, channels]`; multiplies the result of each sample by `1 + scale`.
  ///   - out: like x; may be x.
  public func norm(_ layer: LayerNorm, _ x: Activation, scale: Activation? = nil, into out: Activation) throws {
    precondition(out.count == x.count && (layer.weight.map { $0.count == x.channels } ?? true))
    try perform(normOperation(layer.path, x, times: 8, weights: layer.weight == nil ? 0 : 2), inputs: [x], output: out)
    {
      eachSample(x) { sample, rows in
        Norms.layer(
          out: out.row(rows.lowerBound), x.row(rows.lowerBound), weight: layer.weight?.values,
          bias: layer.bias?.values, scale: scale.map { UnsafePointer($0.row(sample)) }, rows: rows.count,
          columns: x.channels, epsilon: layer.epsilon)
      }
    }
  }

  /// Runs of rows that do not cross samples.
  private func eachSample(_ x: Activation, _ body: @Sendable (_ sample: Int, _ rows: Range<Int>) -> Void) {
    let rows = max(1, (1 << 15) / max(1, x.channels))
    let runs = (x.pixelCount + rows - 1) / rows
    parallel(x.batch * runs) { item, _ in
      let start = item / runs * x.pixelCount
      let first = item % runs * rows
      body(item / runs, start + first..<start + min(x.pixelCount, first + rows))
    }
  }

  /// Finds the sums of a group norm: the factor and summand of each channel. Give the result back with ``give(_:)``.
  ///
  /// The norm itself is then applied where its result is read. An observer that wants the path gets it on its own.
  public func groupScale(_ layer: GroupNorm, _ x: Activation) throws -> ChannelScale {
    let result = ChannelScale(values: take(batch: x.batch, width: 2, channels: x.channels))
    let observed = observers.wants(layer.path).contains(.output)
    // Where nobody wants the norm itself, its factors and summands are the output.
    let output = observed ? take(like: x) : result.values
    let sums = takeSums(x)
    try perform(normOperation(layer.path, x, times: 5, weights: 2), inputs: [x], output: output) {
      findScale(layer, x, sums, result)
      if observed { apply(result, to: x, thenSiLU: false, into: output) }
    }
    give(sums)
    if observed { give(output) }
    return result
  }

  public func give(_ scale: ChannelScale) { give(scale.values) }

  /// A group norm on its own.
  /// - Parameter out: like x; may be x.
  public func norm(_ layer: GroupNorm, _ x: Activation, into out: Activation) throws {
    let scale = ChannelScale(values: take(batch: x.batch, width: 2, channels: x.channels))
    let sums = takeSums(x)
    try perform(normOperation(layer.path, x, times: 5, weights: 2), inputs: [x], output: out) {
      findScale(layer, x, sums, scale)
      apply(scale, to: x, thenSiLU: false, into: out)
    }
    give(sums)
    give(scale)
  }

  private func apply(_ scale: ChannelScale, to x: Activation, thenSiLU: Bool, into out: Activation) {
    eachSample(x) { sample, rows in
      Norms.scaleShift(
        out: out.row(rows.lowerBound), x.row(rows.lowerBound), scale: scale.scale(sample), shift: scale.shift(sample),
        pixels: rows.count, channels: x.channels, thenSiLU: thenSiLU)
    }
  }

  /// Bands of a sample whose sums are found on their own.
  private static let bandCount = 16

  /// Memory for the sums and squares of each band: f64, as pairs of f32.
  private func takeSums(_ x: Activation) -> Activation {
    take(batch: x.batch * Self.bandCount, width: 2, channels: 2 * x.channels)
  }

  /// Sums over bands of a fixed number of pixels, added up in order: the same bits for any number of threads.
  private func findScale(_ layer: GroupNorm, _ x: Activation, _ sums: Activation, _ result: ChannelScale) {
    let channels = x.channels
    let perGroup = channels / layer.groups
    precondition(channels == layer.weight.count && channels % layer.groups == 0)
    let bandCount = Self.bandCount
    let band = (x.pixelCount + bandCount - 1) / bandCount
    parallel(x.batch * bandCount) { item, _ in
      let target = UnsafeMutableRawPointer(sums.row(2 * item)).assumingMemoryBound(to: Double.self)
      target.update(repeating: 0, count: 2 * channels)
      let first = min(x.pixelCount, item % bandCount * band)
      let count = min(band, x.pixelCount - first)
      Norms.addChannelSums(
        of: x.row(item / bandCount * x.pixelCount + first), pixels: count, channels: channels, sums: target,
        squares: target + channels)
    }
    let total = Double(x.pixelCount * perGroup)
    for sample in 0..<x.batch {
      for group in 0..<layer.groups {
        var (sum, square) = (0.0, 0.0)
        for band in 0..<bandCount {
          let source = UnsafeRawPointer(sums.row(2 * (sample * bandCount + band))).assumingMemoryBound(to: Double.self)
          for channel in group * perGroup..<(group + 1) * perGroup {
            sum += source[channel]
            square += source[channels + channel]
          }
        }
        let mean = sum / total
        let factor = 1 / (max(0, square / total - mean * mean) + Double(layer.epsilon)).squareRoot()
        for channel in group * perGroup..<(group + 1) * perGroup {
          let scale = factor * Double(layer.weight.values[channel])
          result.scale(sample)[channel] = Float(scale)
          result.shift(sample)[channel] = Float(Double(layer.bias.values[channel]) - mean * scale)
        }
      }
    }
  }
}
