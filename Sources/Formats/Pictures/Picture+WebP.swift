import CWebP

extension Picture {
  /// Decodes a WebP file. Of an animation the first picture is taken as it stands on its canvas.
  static func webP(_ bytes: [UInt8], path: String) throws(PictureError) -> Read {
    func bad(_ reason: String) -> PictureError { .malformed(path: path, kind: "WebP", reason: reason) }
    var features = WebPBitstreamFeatures()
    guard WebPGetFeatures(bytes, bytes.count, &features) == VP8_STATUS_OK else {
      throw bad("its header cannot be read")
    }
    try check(width: Int(features.width), height: Int(features.height), path: path)
    let isAnimation = features.has_animation != 0
    let picture = isAnimation ? firstOfAnimation(bytes) : still(bytes)
    guard let picture else { throw bad("its pixels cannot be decoded") }
    return Read(picture: picture.turned(orientation(bytes)), note: isAnimation ? animationNote(path) : nil)
  }

  private static func still(_ bytes: [UInt8]) -> Picture? {
    var (width, height) = (Int32(0), Int32(0))
    guard let decoded = WebPDecodeRGB(bytes, bytes.count, &width, &height) else { return nil }
    defer { WebPFree(decoded) }
    let count = Int(width) * Int(height) * 3
    return Picture(
      width: Int(width), height: Int(height), pixels: [UInt8](UnsafeBufferPointer(start: decoded, count: count)))
  }

  private static func firstOfAnimation(_ bytes: [UInt8]) -> Picture? {
    bytes.withUnsafeBufferPointer { buffer in
      var data = WebPData(bytes: buffer.baseAddress, size: buffer.count)
      var options = WebPAnimDecoderOptions()
      guard WebPAnimDecoderOptionsInit(&options) != 0 else { return nil }
      options.color_mode = MODE_RGBA
      options.use_threads = 0
      guard let decoder = WebPAnimDecoderNew(&data, &options) else { return nil }
      defer { WebPAnimDecoderDelete(decoder) }
      var info = WebPAnimInfo()
      var frame: UnsafeMutablePointer<UInt8>?
      var time: Int32 = 0
      guard WebPAnimDecoderGetInfo(decoder, &info) != 0, WebPAnimDecoderGetNext(decoder, &frame, &time) != 0, let frame
      else { return nil }
      let (width, height) = (Int(info.canvas_width), Int(info.canvas_height))
      let pixels = [UInt8](unsafeUninitializedCapacity: width * height * 3) { out, count in
        for pixel in 0..<width * height {
          for channel in 0..<3 { out[3 * pixel + channel] = frame[4 * pixel + channel] }
        }
        count = width * height * 3
      }
      return Picture(width: width, height: height, pixels: pixels)
    }
  }

  private static func orientation(_ bytes: [UInt8]) -> Int {
    bytes.withUnsafeBufferPointer { buffer in
      var data = WebPData(bytes: buffer.baseAddress, size: buffer.count)
      guard let demuxer = WebPDemux(&data) else { return 1 }
      defer { WebPDemuxDelete(demuxer) }
      func chunk(_ name: String) -> [UInt8]? {
        var iterator = WebPChunkIterator()
        guard WebPDemuxGetChunk(demuxer, name, 1, &iterator) != 0 else { return nil }
        defer { WebPDemuxReleaseChunkIterator(&iterator) }
        return [UInt8](UnsafeBufferPointer(start: iterator.chunk.bytes, count: iterator.chunk.size))
      }
      return Orientation.of(exif: chunk("EXIF"), xmp: chunk("XMP "))
    }
  }
}
