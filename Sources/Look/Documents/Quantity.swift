import Glibc

/// Numbers as people read them. Sizes are decimal: 1 GB is 10^9 bytes.
public enum Quantity {
  /// `1.35 GB`, `512 bytes`.
  public static func bytes(_ count: Int) -> String {
    scaled(Double(count), [(1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB")]) ?? "\(count) bytes"
  }

  /// `7.61 B`, `350 M`.
  public static func parameters(_ count: Int) -> String {
    scaled(Double(count), [(1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "k")]) ?? "\(count)"
  }

  private static func scaled(_ value: Double, _ units: [(Double, String)]) -> String? {
    for (size, unit) in units where value >= size * 0.9995 { return "\(significant(value / size, 3)) \(unit)" }
    return nil
  }

  /// A number with `digits` significant digits and no exponent, for values of ordinary size.
  public static func significant(_ value: Double, _ digits: Int) -> String {
    let magnitude = abs(value)
    var places = digits - 1
    var bound = 10.0
    while magnitude >= bound * (1 - 0.5 * 1e-3), places > 0 {
      places -= 1
      bound *= 10
    }
    return fixed(value, places)
  }

  /// A number with `places` digits after the point, half away from zero.
  public static func fixed(_ value: Double, _ places: Int) -> String {
    guard value.isFinite else { return value.isNaN ? "nan" : (value < 0 ? "-inf" : "inf") }
    var scale = 1.0
    for _ in 0..<places { scale *= 10 }
    let scaled = (abs(value) * scale).rounded()
    guard scaled < 9e15 else { return "\(value)" }
    let whole = Int(scaled) / Int(scale)
    let sign = value < 0 && scaled > 0 ? "-" : ""
    guard places > 0 else { return "\(sign)\(whole)" }
    let fraction = String(Int(scaled) % Int(scale))
    return "\(sign)\(whole)." + String(repeating: "0", count: places - fraction.count) + fraction
  }

  /// `42.10 dB`; `equal` where there is no difference.
  public static func decibels(_ value: Double) -> String {
    value == .infinity ? "equal" : fixed(value, 2) + " dB"
  }

  /// `1.23e-04`.
  public static func scientific(_ value: Double) -> String {
    guard value.isFinite, value != 0 else { return value == 0 ? "0" : fixed(value, 0) }
    var exponent = Int(log10(abs(value)).rounded(.down))
    var mantissa = value / pow(10, Double(exponent))
    if abs(mantissa) >= 9.995 {
      mantissa /= 10
      exponent += 1
    }
    let digits = String(abs(exponent))
    return fixed(mantissa, 2) + (exponent < 0 ? "e-" : "e+") + (digits.count == 1 ? "0" : "") + digits
  }

  /// `26 s`, `3 min 5 s`.
  public static func duration(_ seconds: Double) -> String {
    if seconds < 9.95 { return "\(fixed(seconds, 1)) s" }
    let whole = Int(seconds.rounded())
    if whole < 60 { return "\(whole) s" }
    if whole < 3600 { return "\(whole / 60) min \(whole % 60) s" }
    return "\(whole / 3600) h \(whole / 60 % 60) min"
  }

  /// Bytes of a size such as `512M`, `2GiB` or `1000`; nil for other text. K, M, G are binary, as for most tools' memory
  /// limits.
  public static func parseBytes(_ text: String) -> Int? {
    let digits = text.prefix { $0.isNumber || $0 == "." }
    guard let number = Double(digits), number >= 0 else { return nil }
    let scale: Double
    switch text.dropFirst(digits.count).uppercased() {
    case "", "B": scale = 1
    case "K", "KIB", "KB": scale = 1024
    case "M", "MIB", "MB": scale = 1_048_576
    case "G", "GIB", "GB": scale = 1_073_741_824
    default: return nil
    }
    return number * scale < 9e18 ? Int(number * scale) : nil
  }
}
