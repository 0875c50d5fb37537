import JSONText
import Tensors

extension QuantizedParts {
  /// MLX: `weight` in words of 32 bits, `scales`, `biases`. Source: MLX, `nn/layers/quantized.py`.
  mutating func affine(_ stem: [UInt8], _ config: JSONValue?) throws(QuantizedError) -> Found? {
    let weightName = name(stem, ".weight")
    // Other programs' parts, and weights that are just called so, have these names too.
    guard let weight = part(weightName), weight.dtype == .u32, weight.shape.count >= 2, let last = weight.shape.last,
      let biases = part(name(stem, ".biases"))
    else {
      current.removeAll()
      return nil
    }
    let settings = config.flatMap { $0["quantization"] ?? $0["quantization_config"] }
    guard let settings, let common = Self.affineSettings(settings) else {
      throw .otherForm(tensor: weightName, rule: "has bits and groups that no config.json of the affine mode states")
    }
    let (bits, group) = settings[String(decoding: stem, as: UTF8.self)].flatMap(Self.affineSettings) ?? common
    let scales = try needed(name(stem, ".scales"), of: weightName)
    let (bitCount, overflow) = last.multipliedReportingOverflow(by: 32)
    guard !overflow, (2...8).contains(bits), bits != 7, bitCount % bits == 0 else {
      throw .unknownBits(tensor: weightName)
    }
    // Experts lie one behind the other: all dimensions but the last are rows.
    let (outer, columns) = (Array(weight.shape.dropLast()), bitCount / bits)
    guard group > 0, columns % group == 0, scales.shape == outer + [columns / group] else {
      throw .badPart(part: name(stem, ".scales"), expected: "\(outer) x (\(columns) / \(group)) for \(bits) bits")
    }
    guard biases.shape == scales.shape, biases.dtype == scales.dtype, scales.dtype.isCastable else {
      throw .badPart(part: name(stem, ".biases"), expected: "the shape and dtype of the scales")
    }
    let tensor = ScaledTensor(
      encodingName: "MLX affine \(bits) bits, group \(group)", storedByteCount: storedByteCount,
      columns: max(columns, 1),
      codes: .packed(weight, bits: bits, rowByteCount: last * 4, zero: 0),
      scales: .init(plane: scales, rows: 1, columns: group, across: max(1, columns / group)), biases: biases,
      arithmetic: scales.dtype)
    return (try info(weightName, outer + [columns]), tensor)
  }

  /// Bits and group size of MLX's affine mode; nil for other modes.
  private static func affineSettings(_ value: JSONValue) -> (bits: Int, group: Int)? {
    guard let bits = value["bits"]?.int, let group = value["group_size"]?.int,
      value["mode"] == nil || value["mode"]?.string == "affine"
    else { return nil }
    return (bits, group)
  }
}
