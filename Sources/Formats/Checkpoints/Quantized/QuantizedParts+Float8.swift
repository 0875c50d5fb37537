import JSONText
import Tensors

extension QuantizedParts {
  /// 8-bit floating point with an inverse scale for each block. Source: DeepSeek-V3, `inference/fp8_cast_bf16.py`.
  mutating func blockScaled(_ stem: [UInt8], _ config: JSONValue?) throws(QuantizedError) -> Found? {
    let weightName = name(stem, ".weight")
    let scaleName = name(stem, ".weight_scale_inv")
    guard has(weightName) else { return nil }
    guard let weight = part(weightName), weight.dtype == .f8E4M3 || weight.dtype == .f8E5M2, weight.shape.count == 2
    else { throw .otherForm(tensor: weightName, rule: "is not a matrix of 8-bit floating point") }
    let sizes = (config?["quantization_config"]?["weight_block_size"]?.array ?? []).compactMap(\.int)
    let block = sizes.count == 2 && sizes.allSatisfy { $0 > 0 } ? (rows: sizes[0], columns: sizes[1]) : (128, 128)
    let scales = try blocks(
      try needed(scaleName, of: weightName), scaleName, rows: weight.shape[0], columns: weight.shape[1],
      block: block)
    let tensor = ScaledTensor(
      encodingName: "\(weight.dtype.name), block \(block.0) x \(block.1)", storedByteCount: storedByteCount,
      columns: max(1, weight.shape[1]), codes: .bytes(weight), scales: scales)
    return (try info(weightName, weight.shape), tensor)
  }

  /// 8-bit floating point with one scale for all. Source: ComfyUI, `comfy/ops.py`, `scaled_fp8_ops`.
  mutating func wholeScaled(_ stem: [UInt8]) throws(QuantizedError) -> Found? {
    let weightName = name(stem, ".weight")
    let scaleName = name(stem, ".scale_weight")
    guard has(weightName) else { return nil }
    guard let weight = part(weightName), weight.dtype == .f8E4M3 || weight.dtype == .f8E5M2 else {
      throw .otherForm(tensor: weightName, rule: "is not 8-bit floating point")
    }
    let scale = try needed(scaleName, of: weightName)
    guard scale.elementCount == 1, scale.isNumeric, scale.dtype != .u8, scale.dtype != .i8 else {
      throw .badPart(part: scaleName, expected: "one scale")
    }
    let columns = max(1, weight.shape.count < 2 ? weight.elementCount : weight.elementCount / max(1, weight.shape[0]))
    let tensor = ScaledTensor(
      encodingName: "ComfyUI \(weight.dtype.name)", storedByteCount: storedByteCount, columns: columns,
      codes: .bytes(weight), scales: .init(plane: scale, rows: max(1, weight.elementCount), columns: columns, across: 1)
    )
    return (try info(weightName, weight.shape), tensor)
  }
}
