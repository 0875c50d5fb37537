extension UnsafeMutableBufferPointer<Float> {
  /// Copies values to a place.
  package func update(_ values: [Float], at offset: Int) {
    _ = UnsafeMutableBufferPointer(rebasing: self[offset..<offset + values.count]).update(fromContentsOf: values)
  }
}
