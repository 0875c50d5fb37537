/// The values of 8-bit floating-point codes, by code.
///
/// Source: OCP OFP8 as PyTorch's `float8_e4m3fn` and `float8_e5m2`; "8-bit Numerical Formats for Deep Neural Networks" as
/// PyTorch's `float8_e4m3fnuz` and `float8_e5m2fnuz`; OCP Microscaling for `float8_e8m0fnu`. NaN has PyTorch's bits.
public enum Float8 {
  public static let e4m3 = (0..<256).map { code in
    code & 127 == 127 ? nan(code < 128) : value(code, mantissaBits: 3, bias: 7)
  }
  /// The upper half of f16.
  public static let e5m2 = (0..<256).map { code in Float(Float16(bitPattern: UInt16(code) << 8)) }
  public static let e4m3FNUZ = (0..<256).map { code in
    code == 128 ? nan(false) : value(code, mantissaBits: 3, bias: 8)
  }
  public static let e5m2FNUZ = (0..<256).map { code in
    code == 128 ? nan(false) : value(code, mantissaBits: 2, bias: 16)
  }
  /// Powers of two, from 2^-127 on.
  public static let e8m0 = (0..<256).map { code in
    code == 255 ? Float.nan : code == 0 ? Float(bitPattern: 0x0040_0000) : Float(bitPattern: UInt32(code) << 23)
  }

  /// The table of a type; nil for types of other widths.
  public static func table(_ dtype: DType) -> [Float]? {
    switch dtype {
    case .f8E4M3: e4m3
    case .f8E5M2: e5m2
    case .f8E4M3FNUZ: e4m3FNUZ
    case .f8E5M2FNUZ: e5m2FNUZ
    case .f8E8M0: e8m0
    default: nil
    }
  }

  private static func nan(_ isPositive: Bool) -> Float { Float(bitPattern: isPositive ? 0x7FF0_0000 : 0xFFF0_0000) }

  private static func value(_ code: Int, mantissaBits: Int, bias: Int) -> Float {
    let sign: Float = code < 128 ? 1 : -1
    let (exponent, mantissa) = (code >> mantissaBits & (127 >> mantissaBits), code & (1 << mantissaBits - 1))
    let fraction = Float(mantissa) / Float(1 << mantissaBits)
    return exponent == 0 ? sign * fraction * power(1 - bias) : sign * (1 + fraction) * power(exponent - bias)
  }

  private static func power(_ exponent: Int) -> Float { Float(bitPattern: UInt32(127 + exponent) << 23) }
}
