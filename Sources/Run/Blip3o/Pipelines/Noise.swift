import Kernels

/// Where start noise comes from: a seed, or values from outside.
public struct Noise: Sendable {
  /// Values by name, as `[channels, height, width]`: `dit.noise.cond`, `dit.noise.negative`, `decoder.noise`.
  public typealias Given = [String: [Float]]

  private var generator: TorchGenerator
  private var given: Given

  /// - Parameter given: used for the first picture in place of the generator's.
  public init(seed: UInt64, given: Given = [:]) {
    generator = TorchGenerator(seed: seed)
    self.given = given
  }

  /// Draws `torch.randn(1, channels, height, width)`, or takes what was given.
  /// - Throws: ``ModelError/noise(path:name:rule:)`` where what was given has another size.
  mutating func draw(_ name: String, channels: Int, pixels: Int) throws(ModelError) -> [Float] {
    if let values = given.removeValue(forKey: name) {
      guard values.count == channels * pixels else {
        throw .noise(
          path: "noise", name: name, rule: "has \(values.count) values instead of \(channels * pixels)")
      }
      return values
    }
    return generator.normals(channels * pixels)
  }
}

extension Noise {
  /// Reads start noise from a file of tensors, values of any castable dtype.
  /// - Throws: the errors of opening a source; ``ModelError/noise(path:name:rule:)``.
  public static func read(path: String) throws -> Given {
    let given = try TensorFile.values(path: path, ["dit.noise.cond", "dit.noise.negative", "decoder.noise"])
    guard !given.isEmpty else {
      throw ModelError.noise(
        path: path, name: "dit.noise.cond, dit.noise.negative, decoder.noise", rule: "none of them is there")
    }
    return given
  }
}
