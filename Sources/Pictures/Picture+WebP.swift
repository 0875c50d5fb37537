import CWebP

extension Picture {
  static func webP(_ bytes: [UInt8], path: String) throws(PictureError) -> Picture {
    var (width, height) = (Int32(0), Int32(0))
    guard WebPGetInfo(bytes, bytes.count, &width, &height) != 0 else {
      throw .malformed(path: path, kind: "WebP", reason: "its header cannot be read")
    }
    try check(width: Int(width), height: Int(height), path: path)
    guard let decoded = WebPDecodeRGB(bytes, bytes.count, &width, &height) else {
      throw .malformed(path: path, kind: "WebP", reason: "its pixels cannot be decoded, or it is an animation")
    }
    defer { WebPFree(decoded) }
    let count = Int(width) * Int(height) * 3
    return Picture(
      width: Int(width), height: Int(height), pixels: [UInt8](UnsafeBufferPointer(start: decoded, count: count)))
  }
}
