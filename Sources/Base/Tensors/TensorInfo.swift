/// Name, element type and shape of one tensor, with sizes that are known not to overflow.
public struct TensorInfo: Sendable, Hashable {
  public let name: TensorName
  public let dtype: DType
  /// Dimensions, outermost first, as PyTorch prints them. Empty for a scalar.
  public let shape: [Int]
  /// Product of the dimensions.
  public let elementCount: Int
  /// Bytes of the plain row-major form.
  public let byteCount: Int

  /// Fails where the sizes overflow, a dimension is negative, or the bits do not fill whole bytes.
  public init?(name: TensorName, dtype: DType, shape: [Int]) {
    var count = 1
    var isEmpty = false
    for dimension in shape {
      guard dimension >= 0 else { return nil }
      if dimension == 0 { isEmpty = true }
      let (product, overflow) = count.multipliedReportingOverflow(by: max(dimension, 1))
      guard !overflow else { return nil }
      count = product
    }
    let (bits, overflow) = count.multipliedReportingOverflow(by: dtype.bitWidth)
    guard !overflow else { return nil }
    let realBits = isEmpty ? 0 : bits
    guard realBits % 8 == 0 else { return nil }
    self.name = name
    self.dtype = dtype
    self.shape = shape
    self.elementCount = isEmpty ? 0 : count
    self.byteCount = realBits / 8
  }

  /// The shape as `[2, 3]`.
  public var shapeText: String { "[" + shape.map(String.init).joined(separator: ", ") + "]" }
}
