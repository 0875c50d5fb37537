import Encodings
import JSONText
import Tensors

/// The stored parts of one folder's tensors, looked up by name.
struct QuantizedParts {
  private let entries: [Checkpoint.Entry]
  private let files: [Checkpoint.File]
  private var numbers: [TensorName: Int] = [:]
  /// The parts of the tensor that is being put together.
  var current: Set<Int> = []

  init(_ entries: [Checkpoint.Entry], files: [Checkpoint.File]) {
    self.entries = entries
    self.files = files
    for (number, entry) in entries.enumerated() { numbers[entry.info.name] = number }
  }

  /// Parts that only quantized tensors have, by the end of their names.
  private static let marks: [(ending: String, layout: Layout)] = [
    (".weight_packed", .compressed), (".quant_state.bitsandbytes__nf4", .codebook("nf4")),
    (".quant_state.bitsandbytes__fp4", .codebook("fp4")), (".SCB", .rowScaled), (".weight_scale_inv", .blockScaled),
    (".weight_scale", .scaled), (".scale_weight", .wholeScaled), (".scales", .affine),
  ]

  private enum Layout {
    case compressed
    case codebook(String)
    case rowScaled
    case blockScaled
    case scaled
    case wholeScaled
    case affine
  }

  static func ends(_ name: [UInt8], _ ending: String) -> Bool {
    name.reversed().starts(with: ending.utf8.reversed())
  }

  typealias Found = (info: TensorInfo, decoder: any StoredTensor)

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
    case .wholeScaled: return try wholeScaled(stem)
    case .affine: return try affine(stem, config)
    }
  }

  /// The program whose part a number is, and all parts that belong to the same tensor.
  func members(marked number: Int) -> (program: String, members: Set<Int>) {
    let name = entries[number].info.name
    guard let mark = Self.marks.first(where: { Self.ends(name.utf8, $0.ending) }) else { return ("unknown", [number]) }
    let stem = Array(name.utf8.dropLast(mark.ending.utf8.count))
    let members = PartNames.siblings(stem).compactMap { numbers[$0] } + [number]
    // Names alone do not tell MLX's.
    let programs = PartNames.found(in: members.map { entries[$0].info.name })
    return (programs[members.count - 1] ?? "MLX", Set(members))
  }

  // MARK: Parts

  func name(_ stem: [UInt8], _ ending: String) -> TensorName { TensorName(utf8: stem + Array(ending.utf8)) }

  /// A plain part, or nil where there is none.
  mutating func part(_ name: TensorName) -> Plane? {
    guard let number = numbers[name], case .plain = entries[number].content else { return nil }
    current.insert(number)
    let entry = entries[number]
    return Plane(
      source: files[entry.fileIndex].source, offset: entry.offset, dtype: entry.info.dtype, shape: entry.info.shape)
  }

  mutating func needed(_ name: TensorName, of tensor: TensorName) throws(QuantizedError) -> Plane {
    guard let plane = part(name) else { throw .partMissing(tensor: tensor, part: name.text) }
    return plane
  }

  func info(_ name: TensorName, _ shape: [Int]) throws(QuantizedError) -> TensorInfo {
    guard let info = TensorInfo(name: name, dtype: .f32, shape: shape) else {
      throw .badPart(part: name, expected: "a size that does not overflow")
    }
    return info
  }

  /// The parts that were taken, in the order of the bytes of their names.
  var stored: [Checkpoint.StoredRun] {
    current.sorted { entries[$0].info.name < entries[$1].info.name }.flatMap { entries[$0].stored }
  }

  var storedByteCount: Int { current.reduce(0) { $0 + entries[$1].info.byteCount } }

  /// Scales over blocks of a matrix, one for all where there is only one.
  /// - Parameter block: rows and columns of a block; nil where each row has its own scales, over equal runs of columns.
  func blocks(
    _ plane: Plane, _ name: TensorName, rows: Int, columns: Int, block: (rows: Int, columns: Int)? = nil
  ) throws(QuantizedError) -> ScaledTensor.Blocks {
    guard plane.isNumeric else { throw .badPart(part: name, expected: "F32, F16, BF16 or exponents") }
    var plane = plane
    plane.areExponents = plane.dtype == .u8
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

  /// Whether a part is there, of whatever kind.
  func has(_ name: TensorName) -> Bool { numbers[name] != nil }
}
