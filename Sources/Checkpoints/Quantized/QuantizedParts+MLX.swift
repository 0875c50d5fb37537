import JSON
import Tensors

extension QuantizedParts {
  /// MLX: `weight` in words of 32 bits, `scales`, `biases`. Source: MLX, `nn/layers/quantized.py`.
  mutating func affine(_ stem: [UInt8], _ config: JSONValue?) throws(QuantizedError) -> Found? {
    let weightName = name(stem, ".weight")
    guard let weight = part(weightName), weight.dtype == .u32, weight.shape.count == 2,
      let biases = part(name(stem, ".biases"))
    else {
      current.removeAll()
      return nil
    }
    let settings = config.flatMap { $0["quantization"] ?? $0["quantization_config"] }
    guard let settings, let common = Self.affineSettings(settings) else {
      lacksConfig = true
      current.removeAll()
      return nil
    }
    let (bits, group) = settings[String(decoding: stem, as: UTF8.self)].flatMap(Self.affineSettings) ?? common
    let scales = try needed(name(stem, ".scales"), of: weightName)
    let (bitCount, overflow) = weight.shape[1].multipliedReportingOverflow(by: 32)
    guard !overflow, (2...8).contains(bits), bits != 7, bitCount % bits == 0 else {
      throw .unknownBits(tensor: weightName)
    }
    let (rows, columns) = (weight.shape[0], bitCount / bits)
    guard group > 0, columns % group == 0, scales.shape == [rows, columns / group] else {
      throw .badPart(part: name(stem, ".scales"), expected: "[\(rows), \(columns) / \(group)] for \(bits) bits")
    }
    guard biases.shape == scales.shape, biases.dtype == scales.dtype, scales.dtype.isCastable else {
      throw .badPart(part: name(stem, ".biases"), expected: "the shape and dtype of the scales")
    }
    let tensor = ScaledTensor(
      encoding: "MLX affine \(bits) bits, group \(group)", storedByteCount: storedByteCount, columns: max(columns, 1),
      codes: .packed(weight, bits: bits, rowByteCount: weight.shape[1] * 4, zero: 0),
      scales: .init(plane: scales, rows: 1, columns: group, across: max(1, columns / group)), biases: biases,
      arithmetic: scales.dtype)
    return (try info(weightName, [rows, columns]), tensor)
  }

  /// Bits and group size of MLX's affine mode; nil for other modes.
  private static func affineSettings(_ value: JSONValue) -> (bits: Int, group: Int)? {
    guard let bits = value["bits"]?.int, let group = value["group_size"]?.int,
      value["mode"] == nil || value["mode"]?.string == "affine"
    else { return nil }
    return (bits, group)
  }
}
