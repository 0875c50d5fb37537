import JSONText
import Tensors

extension QuantizedParts {
  /// compressed-tensors, a byte an element: I8 or F8 with scales. Source: compressed-tensors, `naive_quantized`.
  mutating func scaled(_ stem: [UInt8], _ config: JSONValue?) throws(QuantizedError) -> Found? {
    let weightName = name(stem, ".weight")
    let scaleName = name(stem, ".weight_scale")
    guard has(weightName) else { return nil }
    guard let weight = part(weightName), [.i8, .f8E4M3, .f8E5M2].contains(weight.dtype), weight.shape.count == 2 else {
      throw .otherForm(tensor: weightName, rule: "is not a matrix of I8 or 8-bit floating point")
    }
    try checkOrder(stem, weightName)
    let plane = try needed(scaleName, of: weightName)
    let (rows, columns) = (weight.shape[0], weight.shape[1])
    let isByBlocks = plane.shape.count == 2 && plane.elementCount > 1 && plane.shape[0] < rows
    guard !isByBlocks || Self.blockStructure(config) != nil else { throw .unknownBlocks(tensor: weightName) }
    let scales = try blocks(
      plane, scaleName, rows: rows, columns: columns, block: isByBlocks ? Self.blockStructure(config) : nil)
    var tensor = ScaledTensor(
      encodingName: "compressed-tensors \(weight.dtype.name)", storedByteCount: 0, columns: max(1, weight.shape[1]),
      codes: .bytes(weight), scales: scales, arithmetic: Self.arithmetic(scales))
    let zeroName = name(stem, ".weight_zero_point")
    if let zeros = part(zeroName) {
      guard zeros.dtype == .i8, zeros.elementCount == scales.plane.elementCount else {
        throw .badPart(part: zeroName, expected: "a zero point of I8 for each scale")
      }
      tensor.zeros = .bytes(zeros)
    }
    return (try info(weightName, weight.shape), tensor.storing(storedByteCount))
  }

  /// Rows and columns of the blocks of compressed-tensors' strategy of that name.
  private static func blockStructure(_ config: JSONValue?) -> (rows: Int, columns: Int)? {
    for group in config?["quantization_config"]?["config_groups"]?.object ?? [] {
      let sizes = (group.value["weights"]?["block_structure"]?.array ?? []).compactMap(\.int)
      if sizes.count == 2, sizes.allSatisfy({ $0 > 0 }) { return (sizes[0], sizes[1]) }
    }
    return nil
  }

  /// compressed-tensors, codes in words of 32 bits. Source: compressed-tensors, `pack_quantized`.
  mutating func compressed(_ stem: [UInt8], _ config: JSONValue?) throws(QuantizedError) -> Found? {
    let weightName = name(stem, ".weight")
    try checkOrder(stem, weightName)
    let packedName = name(stem, ".weight_packed")
    let packed = try needed(packedName, of: weightName)
    guard packed.dtype == .i32, packed.shape.count == 2 else {
      throw .otherForm(tensor: packedName, rule: "is not a matrix of I32")  // such as 4-bit floating point
    }
    let shapeName = name(stem, ".weight_shape")
    let shape = try shape(try needed(shapeName, of: weightName), shapeName)
    guard packed.shape[0] == shape[0] else {
      throw .badPart(part: packedName, expected: "a matrix of I32 with \(shape[0]) rows")
    }
    let bits = try packedBits(columns: shape[1], words: packed.shape[1], config, weightName)
    let scaleName = name(stem, ".weight_scale")
    let scales = try blocks(try needed(scaleName, of: weightName), scaleName, rows: shape[0], columns: shape[1])
    var tensor = ScaledTensor(
      encodingName: "compressed-tensors int\(bits)", storedByteCount: 0, columns: max(1, shape[1]),
      codes: .packed(packed, bits: bits, rowByteCount: packed.shape[1] * 4, zero: 1 << (bits - 1)), scales: scales,
      arithmetic: Self.arithmetic(scales))
    let zeroName = name(stem, ".weight_zero_point")
    if let zeros = part(zeroName) {
      let words = ((shape[0] - 1) / scales.rows * bits + bits + 31) / 32
      guard bits == 4 || bits == 8, zeros.dtype == .i32, zeros.shape == [words, scales.across], scales.rows == 1 else {
        throw .badPart(part: zeroName, expected: "[\(words), \(scales.across)] words of zero points")
      }
      tensor.zeros = .packed(zeros, bits: bits)
    }
    return (try info(weightName, shape), tensor.storing(storedByteCount))
  }

  /// The type whose rounding the library's products have: that of the scales, where they are numbers.
  private static func arithmetic(_ scales: ScaledTensor.Blocks) -> DType {
    scales.plane.dtype.isCastable ? scales.plane.dtype : .f32
  }

  /// The groups may be in the order in which the solver met the columns: that is not decoded.
  private func checkOrder(_ stem: [UInt8], _ tensor: TensorName) throws(QuantizedError) {
    guard !has(name(stem, ".weight_g_idx")) else {
      throw .otherForm(tensor: tensor, rule: "has groups in another order than its columns (weight_g_idx)")
    }
  }

  /// The shape that a tensor of two numbers holds.
  private func shape(_ plane: Plane, _ name: TensorName) throws(QuantizedError) -> [Int] {
    guard plane.dtype == .i64, plane.elementCount == 2, let bytes = try? plane.bytes(at: 0, count: 16) else {
      throw .badPart(part: name, expected: "two numbers of I64")
    }
    var cursor = ByteCursor(bytes)
    let shape = [cursor.take(Int64.self), cursor.take(Int64.self)].compactMap { $0 }.map { Int($0) }
    guard shape.count == 2, shape.allSatisfy({ $0 > 0 }), TensorInfo(name: name, dtype: .f64, shape: shape) != nil
    else {
      throw .badPart(part: name, expected: "two sizes")
    }
    return shape
  }

  /// The bits of a code: what the shapes allow, and where they allow several, what config.json says.
  private func packedBits(
    columns: Int, words: Int, _ config: JSONValue?, _ tensor: TensorName
  ) throws(QuantizedError) -> Int {
    let possible = (1...8).filter { bits in
      let (count, overflow) = columns.multipliedReportingOverflow(by: bits)
      return !overflow && (count - 1) / 32 + 1 == words
    }
    if possible.count == 1 { return possible[0] }
    let stated = (config?["quantization_config"]?["config_groups"]?.object ?? [])
      .compactMap { $0.value["weights"]?["num_bits"]?.int }
    let both = Set(possible).intersection(stated)
    guard both.count == 1, let bits = both.first else { throw .unknownBits(tensor: tensor) }
    return bits
  }
}

extension ScaledTensor {
  /// The same with the bytes of all parts, once they are known.
  fileprivate func storing(_ byteCount: Int) -> ScaledTensor {
    ScaledTensor(
      encodingName: encodingName, storedByteCount: byteCount, columns: columns, codes: codes, scales: scales,
      biases: biases,
      zeros: zeros, arithmetic: arithmetic, factor: factor)
  }
}
