import Conversion
import Kernels
import Tensors

/// Files with CLIP features.
public enum CLIPFeatures {
  /// Writes `features`, `[1, tokens, channels]`.
  public static func write(_ features: PictureEncoder.Features, path: String) throws {
    let shape = [1, features.side * features.side, features.width]
    let info = TensorInfo(name: "features", dtype: .f32, shape: shape)!
    let file = try ActivationFile(path: path, headerByteCount: 4096)
    try features.values.withUnsafeBytes { try file.append(info, $0) }
    try file.finish()
  }

  /// Reads `features`, or `dit.features.cond` of a trace, `[1, tokens, channels]`.
  /// - Throws: the errors of opening a source; ``ModelError/noise(path:name:rule:)``.
  public static func read(path: String) throws -> [Float] {
    for name in ["features", "dit.features.cond"] {
      if let values = try TensorFile.values(path: path, [name])[name] { return values }
    }
    throw ModelError.noise(path: path, name: "features", rule: "is not there")
  }
}

/// Values of a file of tensors: safetensors, npz, a PyTorch file.
enum TensorFile {
  /// The tensors of these names as f32, those that are there.
  /// - Throws: ``ModelError/noise(path:name:rule:)`` for other dtypes, and values that are not finite.
  static func values(path: String, _ names: [String]) throws -> [String: [Float]] {
    let source = try ModelSource(path: path)
    var found: [String: [Float]] = [:]
    for (number, tensor) in source.tensors.enumerated() {
      let name = tensor.info.name.text
      guard names.contains(name) else { continue }
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
