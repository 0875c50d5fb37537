extension Twin {
  /// The sum of so many multiply-adds of one product.
  static func multiplyAdds(_ count: Int, _ x: Double, _ y: Double) -> Double { Double(count) * x * y }
}
