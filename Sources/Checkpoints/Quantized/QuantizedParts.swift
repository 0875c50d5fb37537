import JSON
import Tensors

/// The stored parts of one folder's tensors, looked up by name.
struct QuantizedParts {
  private let entries: [Checkpoint.Entry]
  private let files: [Checkpoint.File]
  private var numbers: [TensorName: Int] = [:]
  /// The parts of the tensor that is being put together.
  var current: Set<Int> = []
  /// Whether MLX's tensors were met without a config that says their bits.
  var lacksConfig = false
  /// A tensor in a form of a known program that is not read.
  var leftAlone: TensorName?

  init(_ entries: [Checkpoint.Entry], files: [Checkpoint.File]) {
    self.entries = entries
    self.files = files
    for (number, entry) in entries.enumerated() { numbers[entry.info.name] = number }
  }

  /// Parts that only quantized tensors have, by the end of their names.
  private static let marks: [(ending: String, layout: Layout)] = [
    (".weight_packed", .compressed), (".quant_state.bitsandbytes__nf4", .codebook("nf4")),
    (".quant_state.bitsandbytes__fp4", .codebook("fp4")), (".SCB", .rowScaled), (".weight_scale_inv", .blockScaled),
    (".weight_scale", .scaled), (".scales", .affine),
  ]

  private enum Layout {
    case compressed
    case codebook(String)
    case rowScaled
    case blockScaled
    case scaled
    case affine
  }

  static func isMark(_ name: [UInt8]) -> Bool { marks.contains { ends(name, $0.ending) } }

  private static func ends(_ name: [UInt8], _ ending: String) -> Bool {
    name.reversed().starts(with: ending.utf8.reversed())
  }

  typealias Found = (info: TensorInfo, decoder: any TensorDecoder)

  /// The tensor that the part of a number marks, with all parts taken; nil where it marks none.
  mutating func tensor(marked number: Int, config: JSONValue?) throws(QuantizedError) -> Found? {
    let name = entries[number].info.name
    guard let mark = Self.marks.first(where: { Self.ends(name.utf8, $0.ending) }) else { return nil }
    let stem = Array(name.utf8.dropLast(mark.ending.utf8.count))
    switch mark.layout {
    case .compressed: return try compressed(stem, config)
    case .codebook(let type): return try codebook(stem, state: name, type: type)
    case .rowScaled: return try rowScaled(stem)
    case .blockScaled: return try blockScaled(stem, config)
    case .scaled: return try scaled(stem, config)
    case .affine: return try affine(stem, config)
    }
  }

  // MARK: Parts

  private func name(_ stem: [UInt8], _ ending: String) -> TensorName { TensorName(utf8: stem + Array(ending.utf8)) }

  /// A plain part, or nil where there is none.
  private mutating func part(_ name: TensorName) -> Plane? {
    guard let number = numbers[name], case .plain = entries[number].content else { return nil }
    current.insert(number)
    let entry = entries[number]
    return Plane(
      source: files[entry.fileIndex].source, offset: entry.offset, dtype: entry.info.dtype, shape: entry.info.shape)
  }

  private mutating func needed(_ name: TensorName, of tensor: TensorName) throws(QuantizedError) -> Plane {
    guard let plane = part(name) else { throw .partMissing(tensor: tensor, part: name.text) }
    return plane
  }

  private func info(_ name: TensorName, _ shape: [Int]) throws(QuantizedError) -> TensorInfo {
    guard let info = TensorInfo(name: name, dtype: .f32, shape: shape) else {
      throw .badPart(part: name, expected: "a size that does not overflow")
    }
    return info
  }

  private var storedByteCount: Int { current.reduce(0) { $0 + entries[$1].info.byteCount } }

  /// Scales over blocks of a matrix, one for all where there is only one.
  /// - Parameter block: rows and columns of a block; nil where each row has its own scales, over equal runs of columns.
  private func blocks(
    _ plane: Plane, _ name: TensorName, rows: Int, columns: Int, block: (rows: Int, columns: Int)? = nil
  ) throws(QuantizedError) -> ScaledTensor.Blocks {
    guard plane.isNumeric else { throw .badPart(part: name, expected: "F32, F16 or BF16") }
    if plane.elementCount == 1 {
      return .init(plane: plane, rows: max(rows, 1), columns: max(columns, 1), across: 1)
    }
    let shape = plane.shape.count == 1 ? plane.shape + [1] : plane.shape
    guard shape.count == 2, shape[0] > 0, shape[1] > 0 else {
      throw .badPart(part: name, expected: "a matrix of scales")
    }
    let (down, across) = (shape[0], shape[1])
    let height = block?.rows ?? 1
    let width = block?.columns ?? columns / across
    guard height > 0, width > 0, (rows - 1) / height + 1 == down, (columns - 1) / width + 1 == across,
      block != nil || columns % across == 0
    else {
      throw .badPart(part: name, expected: "scales for [\(rows), \(columns)]")
    }
    return .init(plane: plane, rows: height, columns: width, across: across)
  }

  // MARK: Layouts

  /// MLX: `weight` in words of 32 bits, `scales`, `biases`. Source: MLX, `nn/layers/quantized.py`.
  private mutating func affine(_ stem: [UInt8], _ config: JSONValue?) throws(QuantizedError) -> Found? {
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

  /// bitsandbytes, 4 bits: codes, `absmax`, `quant_map` and a state in JSON. Source: bitsandbytes, `functional.py`.
  private mutating func codebook(
    _ stem: [UInt8], state stateName: TensorName, type: String
  ) throws(QuantizedError) -> Found? {
    let weightName = TensorName(utf8: stem)
    let codes = try needed(weightName, of: weightName)
    let state = try CodebookState(try needed(stateName, of: weightName), name: stateName)
    let scales = try needed(name(stem, ".absmax"), of: weightName)
    let book = try book(name(stem, ".quant_map"), of: weightName, count: 16)
    let info = try info(weightName, state.shape)
    // The bytes may be stored as any type (`quant_storage`), with a last element that is filled up.
    let byteCount = info.elementCount / 2 + info.elementCount % 2
    let width = codes.dtype.bitWidth / 8
    guard width > 0, codes.elementCount == (byteCount + width - 1) / width else {
      throw .badPart(part: weightName, expected: "\(info.elementCount) codes of 4 bits")
    }
    let blockCount = (info.elementCount + state.blockSize - 1) / state.blockSize
    guard scales.elementCount == blockCount, scales.isNumeric else {
      throw .badPart(part: name(stem, ".absmax"), expected: "\(blockCount) scales")
    }
    var nested: CodebookTensor.Nested?
    if let outer = state.nested {
      let outerName = name(stem, ".nested_absmax")
      let outerScales = try needed(outerName, of: weightName)
      guard scales.dtype == .u8, outerScales.isNumeric,
        outerScales.elementCount == (blockCount + outer.blockSize - 1) / outer.blockSize
      else { throw .badPart(part: outerName, expected: "scales for \(blockCount) codes of 8 bits") }
      nested = .init(
        book: try self.book(name(stem, ".nested_quant_map"), of: weightName, count: 256), scales: outerScales,
        blockSize: outer.blockSize, offset: outer.offset)
    }
    let tensor = CodebookTensor(
      encoding: "\(type)\(nested == nil ? "" : " nested"), block \(state.blockSize)", storedByteCount: storedByteCount,
      codes: codes, book: book, scales: scales, blockSize: state.blockSize, nested: nested, dtype: state.dtype)
    return (info, tensor)
  }

  private mutating func book(_ name: TensorName, of tensor: TensorName, count: Int) throws(QuantizedError) -> [Float] {
    let plane = try needed(name, of: tensor)
    guard plane.isNumeric, plane.elementCount == count else { throw .badPart(part: name, expected: "\(count) values") }
    do { return try plane.floats(at: 0, count: count) } catch {
      throw .badState(part: name, rule: "cannot be read: \(error.report.message)")
    }
  }

  /// bitsandbytes, int8: a scale for each row, the largest magnitude. Source: bitsandbytes, `functional.py`.
  private mutating func rowScaled(_ stem: [UInt8]) throws(QuantizedError) -> Found? {
    let weightName = name(stem, ".weight")
    let weight = try needed(weightName, of: weightName)
    let scales = try needed(name(stem, ".SCB"), of: weightName)
    _ = part(name(stem, ".weight_format"))
    guard weight.dtype == .i8, weight.shape.count == 2 else {
      throw .badPart(part: weightName, expected: "a matrix of I8")
    }
    guard scales.dtype == .f32, scales.elementCount == weight.shape[0] else {
      throw .badPart(part: name(stem, ".SCB"), expected: "a scale for each of \(weight.shape[0]) rows")
    }
    let columns = max(1, weight.shape[1])
    let tensor = ScaledTensor(
      encoding: "bitsandbytes int8", storedByteCount: storedByteCount, columns: columns, codes: .bytes(weight),
      scales: .init(plane: scales, rows: 1, columns: columns, across: 1), factor: 1 / 127)
    return (try info(weightName, weight.shape), tensor)
  }

  /// 8-bit floating point with an inverse scale for each block. Source: DeepSeek-V3, `inference/fp8_cast_bf16.py`.
  private mutating func blockScaled(_ stem: [UInt8], _ config: JSONValue?) throws(QuantizedError) -> Found? {
    let weightName = name(stem, ".weight")
    let scaleName = name(stem, ".weight_scale_inv")
    guard let weight = part(weightName), weight.dtype == .f8E4M3 || weight.dtype == .f8E5M2, weight.shape.count == 2
    else {
      current.removeAll()
      return nil
    }
    let sizes = (config?["quantization_config"]?["weight_block_size"]?.array ?? []).compactMap(\.int)
    let block = sizes.count == 2 && sizes.allSatisfy { $0 > 0 } ? (rows: sizes[0], columns: sizes[1]) : (128, 128)
    let scales = try blocks(
      try needed(scaleName, of: weightName), scaleName, rows: weight.shape[0], columns: weight.shape[1],
      block: block)
    let tensor = ScaledTensor(
      encoding: "\(weight.dtype.name), block \(block.0) x \(block.1)", storedByteCount: storedByteCount,
      columns: max(1, weight.shape[1]), codes: .bytes(weight), scales: scales)
    return (try info(weightName, weight.shape), tensor)
  }

  /// compressed-tensors, a byte an element: I8 or F8 with scales. Source: compressed-tensors, `naive_quantized`.
  private mutating func scaled(_ stem: [UInt8], _ config: JSONValue?) throws(QuantizedError) -> Found? {
    let weightName = name(stem, ".weight")
    let scaleName = name(stem, ".weight_scale")
    guard let weight = part(weightName), [.i8, .f8E4M3, .f8E5M2].contains(weight.dtype), weight.shape.count == 2 else {
      current.removeAll()
      return nil
    }
    if isReordered(stem, weightName) { return nil }
    let plane = try needed(scaleName, of: weightName)
    let (rows, columns) = (weight.shape[0], weight.shape[1])
    let isByBlocks = plane.shape.count == 2 && plane.elementCount > 1 && plane.shape[0] < rows
    guard !isByBlocks || Self.blockStructure(config) != nil else { throw .unknownBlocks(tensor: weightName) }
    let scales = try blocks(
      plane, scaleName, rows: rows, columns: columns, block: isByBlocks ? Self.blockStructure(config) : nil)
    var tensor = ScaledTensor(
      encoding: "compressed-tensors \(weight.dtype.name)", storedByteCount: 0, columns: max(1, weight.shape[1]),
      codes: .bytes(weight), scales: scales, arithmetic: scales.plane.dtype)
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
  private mutating func compressed(_ stem: [UInt8], _ config: JSONValue?) throws(QuantizedError) -> Found? {
    let weightName = name(stem, ".weight")
    if isReordered(stem, weightName) { return nil }
    let packedName = name(stem, ".weight_packed")
    let packed = try needed(packedName, of: weightName)
    guard packed.dtype == .i32, packed.shape.count == 2 else {
      // Such as 4-bit floating point.
      leftAlone = leftAlone ?? weightName
      current.removeAll()
      return nil
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
      encoding: "compressed-tensors int\(bits)", storedByteCount: 0, columns: max(1, shape[1]),
      codes: .packed(packed, bits: bits, rowByteCount: packed.shape[1] * 4, zero: 1 << (bits - 1)), scales: scales,
      arithmetic: scales.plane.dtype)
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

  /// Whether the groups are in the order in which the solver met the columns: such tensors are left as they are.
  private mutating func isReordered(_ stem: [UInt8], _ tensor: TensorName) -> Bool {
    guard numbers[name(stem, ".weight_g_idx")] != nil else { return false }
    current.removeAll()
    leftAlone = leftAlone ?? tensor
    return true
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
      encoding: encoding, storedByteCount: byteCount, columns: columns, codes: codes, scales: scales, biases: biases,
      zeros: zeros, arithmetic: arithmetic, factor: factor)
  }
}
