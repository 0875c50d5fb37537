import Tensors

/// One stored tensor of numbers, read piece by piece.
struct Plane {
  let source: any ByteSource
  /// Where it starts in the file.
  let offset: Int
  let dtype: DType
  let shape: [Int]
  /// Whether bytes stand for powers of two, as scales of the OCP microscaling formats do: 2^(byte - 127).
  var areExponents = false

  var elementCount: Int { shape.reduce(1, *) }

  func bytes(at offset: Int, count: Int) throws(FileError) -> [UInt8] {
    try source.bytes(at: self.offset + offset, count: count)
  }

  /// Elements as f32.
  /// - Precondition: ``isNumeric``.
  func floats(at first: Int, count: Int) throws(FileError) -> [Float] {
    let width = dtype.bitWidth / 8
    let bytes = try bytes(at: first * width, count: count * width)
    return bytes.withUnsafeBytes { raw in
      (0..<count).map { index in
        switch dtype {
        case .f32:
          Float(bitPattern: UInt32(littleEndian: raw.loadUnaligned(fromByteOffset: 4 * index, as: UInt32.self)))
        case .f16: Float(Float16(bitPattern: raw.loadUnaligned(fromByteOffset: 2 * index, as: UInt16.self)))
        case .bf16: Float(bitPattern: UInt32(raw.loadUnaligned(fromByteOffset: 2 * index, as: UInt16.self)) << 16)
        case .u8: areExponents ? Float8.e8m0[Int(raw[index])] : Float(raw[index])
        case .i8: Float(Int8(bitPattern: raw[index]))
        case .f8E4M3: Float8.e4m3[Int(raw[index])]
        case .f8E5M2: Float8.e5m2[Int(raw[index])]
        case .f8E8M0: Float8.e8m0[Int(raw[index])]
        default: preconditionFailure("a plane of \(dtype.name) has no values here")
        }
      }
    }
  }

  /// Whether ``floats(at:count:)`` knows the dtype.
  var isNumeric: Bool { [.f32, .f16, .bf16, .u8, .i8, .f8E4M3, .f8E5M2, .f8E8M0].contains(dtype) }

  /// Runs of `bits` bits, the lowest first, as whole numbers. Source: the bit stream of MLX and compressed-tensors.
  /// - Parameters:
  ///   - start: byte within the plane where code 0 starts.
  func codes(bits: Int, start: Int, first: Int, count: Int) throws(FileError) -> [UInt8] {
    let firstBit = first * bits
    let byteRange = firstBit / 8..<(firstBit + count * bits + 7) / 8
    let bytes = try bytes(at: start + byteRange.lowerBound, count: byteRange.count)
    let mask = UInt16(1 << bits - 1)
    return (0..<count).map { index in
      let bit = firstBit + index * bits - byteRange.lowerBound * 8
      var word = UInt16(bytes[bit / 8])
      if bit % 8 + bits > 8 { word |= UInt16(bytes[bit / 8 + 1]) << 8 }
      return UInt8(word >> UInt16(bit % 8) & mask)
    }
  }
}

/// Rounds a value as arithmetic in another type does.
func rounded(_ value: Float, to dtype: DType) -> Float {
  switch dtype {
  case .f16: return Float(Float16(value))
  case .bf16:
    guard value.isFinite else { return value }
    let bits = value.bitPattern
    return Float(bitPattern: (bits &+ 0x7FFF &+ (bits >> 16 & 1)) & 0xFFFF_0000)
  default: return value
  }
}
