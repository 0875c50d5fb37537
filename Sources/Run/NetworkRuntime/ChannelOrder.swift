/// Values between the two orders of a picture in memory.
public enum ChannelOrder {
  /// `[pixels, channels]` to `[channels, pixels]`.
  public static func first(_ last: UnsafeMutableBufferPointer<Float>, channels: Int) -> [Float] {
    let pixels = last.count / channels
    return [Float](unsafeUninitializedCapacity: last.count) { out, count in
      for channel in 0..<channels {
        for pixel in 0..<pixels { out[channel * pixels + pixel] = last[pixel * channels + channel] }
      }
      count = last.count
    }
  }

  /// `[channels, pixels]` to `[pixels, channels]`.
  public static func last(_ first: [Float], channels: Int) -> [Float] {
    let pixels = first.count / channels
    return [Float](unsafeUninitializedCapacity: first.count) { out, count in
      for pixel in 0..<pixels {
        for channel in 0..<channels { out[pixel * channels + channel] = first[channel * pixels + pixel] }
      }
      count = first.count
    }
  }
}
