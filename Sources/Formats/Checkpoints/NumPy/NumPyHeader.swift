import Tensors

/// The header of a npy array. Source: NumPy, `numpy/lib/format.py`, versions 1 to 3.
struct NumPyHeader {
  let dtype: DType
  let shape: [Int]
  let isFortranOrder: Bool
  /// Where the data starts, from the first byte.
  let dataOffset: Int

  private static let dtypes: [String: DType] = [
    "<f8": .f64, "<f4": .f32, "<f2": .f16, "<i8": .i64, "<i4": .i32, "<i2": .i16, "|i1": .i8, "<u8": .u64,
    "<u4": .u32, "<u2": .u16, "|u1": .u8, "|b1": .bool, "<c8": .c64,
  ]

  /// Bytes of an array that its header must lie within.
  static let limit = 1 << 16 + 12

  /// - Parameters:
  ///   - beginning: the first bytes, up to ``limit``.
  ///   - byteCount: bytes of header and data.
  init(_ beginning: [UInt8], byteCount: Int) throws(NumPyError) {
    guard beginning.count >= 12, beginning.starts(with: [0x93, 0x4E, 0x55, 0x4D, 0x50, 0x59]) else { throw .badMagic }
    let version = Int(beginning[6])
    guard (1...3).contains(version) else { throw .unknownVersion(version) }
    var cursor = ByteCursor(beginning, offset: 8)
    let length = version == 1 ? Int(cursor.take(UInt16.self) ?? 0) : Int(cursor.take(UInt32.self) ?? 0)
    guard let header = cursor.take(count: length) else { throw .headerPastEnd(claimed: length) }
    var parser = NumPyLiteral(Array(beginning[header]))
    let literal = try parser.parse()
    guard let descr = literal.descr else { throw .missingKey("descr") }
    guard let order = literal.fortranOrder else { throw .missingKey("fortran_order") }
    guard let shape = literal.shape else { throw .missingKey("shape") }
    guard let dtype = Self.dtypes[String(decoding: descr, as: UTF8.self)] else {
      throw descr.first == UInt8(ascii: ">") ? .bigEndian(descr) : .unknownDType(descr)
    }
    guard shape.count <= Limits.rank, let info = TensorInfo(name: "array", dtype: dtype, shape: shape) else {
      throw .badShape
    }
    guard info.byteCount == byteCount - cursor.offset else {
      throw .sizeMismatch(expected: info.byteCount, found: byteCount - cursor.offset)
    }
    self.dtype = dtype
    self.shape = shape
    isFortranOrder = order
    dataOffset = cursor.offset
  }
}

/// The Python literal in a npy header: a dict of three known keys, nothing else.
private struct NumPyLiteral {
  var descr: [UInt8]?
  var fortranOrder: Bool?
  var shape: [Int]?
  private let bytes: [UInt8]
  private var offset = 0

  init(_ bytes: [UInt8]) { self.bytes = bytes }

  mutating func parse() throws(NumPyError) -> NumPyLiteral {
    try take("{")
    while try !taken("}") {
      let start = offset
      let key = try string()
      try take(":")
      switch String(decoding: key, as: UTF8.self) {
      case "descr" where descr == nil:
        if try taken("[") { throw .unknownDType(Array("[...]".utf8)) }
        descr = try string()
      case "fortran_order" where fortranOrder == nil: fortranOrder = try boolean()
      case "shape" where shape == nil: shape = try sizes()
      default: throw .badHeader(offset: start)
      }
      if try !taken(",") {
        try take("}")
        break
      }
    }
    // Spaces and a line feed pad the header.
    guard bytes[offset...].allSatisfy({ $0 == 0x20 || $0 == 0x0A }) else { throw .badHeader(offset: offset) }
    return self
  }

  private mutating func taken(_ text: String) throws(NumPyError) -> Bool {
    while offset < bytes.count, bytes[offset] == 0x20 { offset += 1 }
    guard bytes[offset...].starts(with: text.utf8) else { return false }
    offset += text.utf8.count
    return true
  }

  private mutating func take(_ text: String) throws(NumPyError) {
    guard try taken(text) else { throw .badHeader(offset: offset) }
  }

  private mutating func string() throws(NumPyError) -> [UInt8] {
    let quote: UInt8 = try taken("\"") ? 0x22 : 0x27
    if quote == 0x27 { try take("'") }
    guard let end = bytes[offset...].firstIndex(of: quote) else { throw .badHeader(offset: offset) }
    defer { offset = end + 1 }
    return Array(bytes[offset..<end])
  }

  private mutating func boolean() throws(NumPyError) -> Bool {
    if try taken("True") { return true }
    try take("False")
    return false
  }

  private mutating func sizes() throws(NumPyError) -> [Int] {
    try take("(")
    var sizes: [Int] = []
    while try !taken(")") {
      let digits = bytes[offset...].prefix { (0x30...0x39).contains($0) }
      guard !digits.isEmpty, digits.count <= 19, let size = Int(String(decoding: digits, as: UTF8.self)) else {
        throw .badShape
      }
      guard sizes.count < Limits.rank else { throw .badShape }
      sizes.append(size)
      offset = digits.endIndex
      if try !taken(",") {
        try take(")")
        break
      }
      _ = try taken(" ")
    }
    return sizes
  }
}
