import Checkpoints
import Conversion
import Kernels
import ModelSources
import Tensors

/// Features of a picture, and those of an empty one: what the decoder paints from.
public struct CLIPFeatures: Sendable, Equatable {
  /// `[tokens, channels]`.
  public let values: [Float]
  /// The other half of the guidance, of the same shape; nil where it is to be made.
  public let negative: [Float]?

  public init(values: [Float], negative: [Float]?) {
    self.values = values
    self.negative = negative
  }

  /// Writes `features` and `negative_features`, `[1, tokens, channels]`.
  public func write(to file: SafetensorsStream, channels: Int) throws {
    for (name, values) in [("features", values), ("negative_features", negative ?? [])] where !values.isEmpty {
      let info = TensorInfo(name: TensorName(name), dtype: .f32, shape: [1, values.count / channels, channels])!
      try values.withUnsafeBytes { try file.append(info, $0) }
    }
    try file.finish()
  }

  /// Reads `features` and `negative_features`, or `dit.features.cond` and `dit.features.negative` of a trace.
  /// - Throws: the errors of opening a source; ``ModelError/noise(path:name:rule:)``.
  public init(path: String) throws {
    for (name, negative) in [("features", "negative_features"), ("dit.features.cond", "dit.features.negative")] {
      let found = try TensorFile.values(path: path, [name, negative])
      guard let values = found[name] else { continue }
      self.init(values: values, negative: found[negative])
      return
    }
    throw ModelError.noise(path: path, name: "features", rule: "is not there")
  }
}

/// Values of a file of tensors: safetensors, npz, a PyTorch file.
enum TensorFile {
  /// Values of a tensor at the most: noise for a picture of 4096 pixels a side has a million.
  static let valueLimit = 1 << 22

  /// The tensors of these names as f32, those that are there.
  /// - Throws: ``ModelError/noise(path:name:rule:)`` for other dtypes, and values that are not finite.
  static func values(path: String, _ names: [String]) throws -> [String: [Float]] {
    let source = try ModelSource(path: path)
    var found: [String: [Float]] = [:]
    for (number, tensor) in source.tensors.enumerated() {
      let name = tensor.info.name.text
      guard names.contains(name) else { continue }
      // Before anything is read: a small file may claim to unpack to much.
      guard tensor.info.elementCount <= valueLimit else {
        throw ModelError.noise(
          path: path, name: name, rule: "has the shape \(tensor.info.shapeText), more than any noise or features")
      }
      let isDouble = tensor.info.dtype == .f64  // as NumPy makes random numbers
      guard tensor.info.dtype.isCastable || isDouble else {
        throw ModelError.noise(path: path, name: name, rule: "has the dtype \(tensor.info.dtype.name)")
      }
      let bytes = try AlignedBuffer(byteCount: tensor.info.byteCount)
      try source.read(number, at: 0, into: bytes.bytes)
      let values = [Float](unsafeUninitializedCapacity: tensor.info.elementCount) { values, count in
        count = tensor.info.elementCount
        if isDouble {
          for (index, value) in bytes.bytes.assumingMemoryBound(to: Double.self).enumerated() {
            values[index] = Float(value)
          }
        } else if count > 0 {
          ElementCast.widen(count: count, from: bytes.bytes.baseAddress!, tensor.info.dtype, to: values.baseAddress!)
        }
      }
      guard values.allSatisfy(\.isFinite) else {
        throw ModelError.noise(path: path, name: name, rule: "holds values that are infinite or NaN")
      }
      found[name] = values
    }
    return found
  }
}
