import Tensors

extension QuantizedParts {
  /// bitsandbytes, 4 bits: codes, `absmax`, `quant_map` and a state in JSON. Source: bitsandbytes, `functional.py`.
  mutating func codebook(
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
      encodingName: "\(type)\(nested == nil ? "" : " nested"), block \(state.blockSize)",
      storedByteCount: storedByteCount,
      codes: codes, book: book, scales: scales, blockSize: state.blockSize, nested: nested, dtype: state.dtype)
    return (info, tensor)
  }

  private mutating func book(_ name: TensorName, of tensor: TensorName, count: Int) throws(QuantizedError) -> [Float] {
    let plane = try needed(name, of: tensor)
    guard plane.isNumeric, plane.elementCount == count else { throw .badPart(part: name, expected: "\(count) values") }
    do { return try plane.floats(at: 0, count: count) } catch {
      throw .badState(part: name, rule: "cannot be read: \(error)")
    }
  }

  /// bitsandbytes, int8: a scale for each row, the largest magnitude. Source: bitsandbytes, `functional.py`.
  mutating func rowScaled(_ stem: [UInt8]) throws(QuantizedError) -> Found? {
    let weightName = name(stem, ".weight")
    let weight = try needed(weightName, of: weightName)
    let scales = try needed(name(stem, ".SCB"), of: weightName)
    if let format = part(name(stem, ".weight_format")) {
      let value = format.elementCount == 1 ? try? format.bytes(at: 0, count: 1).first : nil
      guard format.dtype.bitWidth == 8, value == 0 else {
        throw .otherForm(
          tensor: weightName, rule: "lies in tiles (weight_format \(value.map { "\($0)" } ?? "unknown")), not in rows")
      }
    }
    guard weight.dtype == .i8, weight.shape.count == 2 else {
      throw .badPart(part: weightName, expected: "a matrix of I8")
    }
    guard scales.dtype == .f32, scales.elementCount == weight.shape[0] else {
      throw .badPart(part: name(stem, ".SCB"), expected: "a scale for each of \(weight.shape[0]) rows")
    }
    let columns = max(1, weight.shape[1])
    let tensor = ScaledTensor(
      encodingName: "bitsandbytes int8", storedByteCount: storedByteCount, columns: columns, codes: .bytes(weight),
      scales: .init(plane: scales, rows: 1, columns: columns, across: 1), factor: 1 / 127)
    return (try info(weightName, weight.shape), tensor)
  }
}
