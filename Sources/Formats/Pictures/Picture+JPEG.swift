import CTurboJPEG
import Glibc

extension Picture {
  /// Decodes a JPEG file with the accurate transform, as PIL does.
  static func jpeg(_ bytes: [UInt8], path: String) throws(PictureError) -> Picture {
    guard let decoder = tjInitDecompress() else { throw .malformed(path: path, kind: "JPEG", reason: "no memory") }
    defer { tjDestroy(decoder) }
    func check(_ code: Int32) throws(PictureError) {
      if code != 0 {
        throw .malformed(path: path, kind: "JPEG", reason: String(cString: tjGetErrorStr2(decoder)))
      }
    }
    var (width, height, sampling, space) = (Int32(0), Int32(0), Int32(0), Int32(0))
    try check(
      tjDecompressHeader3(decoder, bytes, UInt(bytes.count), &width, &height, &sampling, &space))
    try Self.check(width: Int(width), height: Int(height), path: path)
    let isCMYK = space == Int32(TJCS_CMYK.rawValue) || space == Int32(TJCS_YCCK.rawValue)
    let count = Int(width) * Int(height)
    var pixels = [UInt8](repeating: 0, count: count * (isCMYK ? 4 : 3))
    try check(
      tjDecompress2(
        decoder, bytes, UInt(bytes.count), &pixels, width, 0, height,
        Int32(isCMYK ? TJPF_CMYK.rawValue : TJPF_RGB.rawValue),
        Int32(TJFLAG_ACCURATEDCT | TJFLAG_STOPONWARNING | TJFLAG_LIMITSCANS)))
    if isCMYK { pixels = rgb(ofInvertedCMYK: pixels) }
    return Picture(width: Int(width), height: Int(height), pixels: pixels).turned(orientation(bytes))
  }

  /// As PIL converts what Adobe's programs write, with inverted values: `r = k - c' k / 255`, c' = 255 - c.
  private static func rgb(ofInvertedCMYK cmyk: [UInt8]) -> [UInt8] {
    [UInt8](unsafeUninitializedCapacity: cmyk.count / 4 * 3) { out, count in
      count = cmyk.count / 4 * 3
      for pixel in 0..<cmyk.count / 4 {
        let k = Int(cmyk[4 * pixel + 3])
        for channel in 0..<3 {
          let product = (255 - Int(cmyk[4 * pixel + channel])) * k + 128
          out[3 * pixel + channel] = UInt8(max(0, k - (product >> 8 + product) >> 8))
        }
      }
    }
  }

  /// The orientation in the APP1 segments.
  private static func orientation(_ bytes: [UInt8]) -> Int {
    let (exifMark, xmpMark) = (Array("Exif\0\0".utf8), Array("http://ns.adobe.com/xap/1.0/\0".utf8))
    var (exif, xmp): ([UInt8]?, [UInt8]?)
    var position = 2
    while position + 4 <= bytes.count, bytes[position] == 0xFF {
      let marker = bytes[position + 1]
      if marker == 0xDA || marker == 0xD9 { break }
      let length = Int(bytes[position + 2]) << 8 | Int(bytes[position + 3])
      let end = position + 2 + length
      guard length >= 2, end <= bytes.count else { break }
      let content = bytes[position + 4..<end]
      if marker == 0xE1, exif == nil, content.starts(with: exifMark) { exif = Array(content.dropFirst(exifMark.count)) }
      if marker == 0xE1, xmp == nil, content.starts(with: xmpMark) { xmp = Array(content.dropFirst(xmpMark.count)) }
      position = end
    }
    return Orientation.of(exif: exif, xmp: xmp)
  }
}
