/// The element type of a tensor: every type that the safetensors format names, in its spelling.
///
/// Source: safetensors 0.8, `Dtype`. Types that Bantam cannot compute with are still carried bit for bit.
public enum DType: String, CaseIterable, Sendable, Hashable {
  case bool = "BOOL"
  case f4 = "F4"
  case f6E2M3 = "F6_E2M3"
  case f6E3M2 = "F6_E3M2"
  case u8 = "U8"
  case i8 = "I8"
  case f8E5M2 = "F8_E5M2"
  case f8E4M3 = "F8_E4M3"
  case f8E8M0 = "F8_E8M0"
  case f8E4M3FNUZ = "F8_E4M3FNUZ"
  case f8E5M2FNUZ = "F8_E5M2FNUZ"
  case i16 = "I16"
  case u16 = "U16"
  case f16 = "F16"
  case bf16 = "BF16"
  case i32 = "I32"
  case u32 = "U32"
  case f32 = "F32"
  case c64 = "C64"
  case f64 = "F64"
  case i64 = "I64"
  case u64 = "U64"

  /// The spelling in safetensors headers.
  public var name: String { rawValue }

  /// Size of one element in bits. Types below 8 bits are packed without gaps.
  public var bitWidth: Int {
    switch self {
    case .f4: 4
    case .f6E2M3, .f6E3M2: 6
    case .bool, .u8, .i8, .f8E5M2, .f8E4M3, .f8E8M0, .f8E4M3FNUZ, .f8E5M2FNUZ: 8
    case .i16, .u16, .f16, .bf16: 16
    case .i32, .u32, .f32: 32
    case .c64, .f64, .i64, .u64: 64
    }
  }

  /// Whether networks compute with values of this type, and others can be cast to it.
  public var isCastable: Bool { self == .f32 || self == .f16 || self == .bf16 }

  /// Whether values are real numbers by themselves, so that they can be cast, compared and quantized: what is castable, f64, and
  /// 8-bit floating point.
  public var isReal: Bool {
    switch self {
    case .f32, .f16, .bf16, .f64, .f8E4M3, .f8E5M2, .f8E4M3FNUZ, .f8E5M2FNUZ: true
    default: false
    }
  }

  /// Whether values are floating-point numbers, of any width.
  public var isFloat: Bool {
    switch self {
    case .bool, .u8, .i8, .i16, .u16, .i32, .u32, .i64, .u64, .c64: false
    default: true
    }
  }

  /// The number that stands for this type in a `.bantam` file (formats/bantam.md, section 5). Never reused.
  public var code: UInt16 { UInt16(Self.allCases.firstIndex(of: self)! + 1) }

  /// The type with the given number, or nil for a number that this version does not know.
  public init?(code: UInt16) {
    let index = Int(code) - 1
    guard Self.allCases.indices.contains(index) else { return nil }
    self = Self.allCases[index]
  }
}
