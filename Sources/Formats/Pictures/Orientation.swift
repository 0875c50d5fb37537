/// How a picture is to be turned: one rule for every format. The Exif block's orientation counts, and where there is none, the XMP
/// packet's.
///
/// Source: Exif 2.3, tag 0x0112; XMP specification, part 2, tiff:Orientation. As Pillow's ImageOps.exif_transpose.
enum Orientation {
  /// - Parameters:
  ///   - exif: a TIFF header and what follows, perhaps behind `Exif` and two zeros.
  ///   - xmp: the text of the packet.
  /// - Returns: 1 to 8; 1 where nothing sensible is said.
  static func of(exif: [UInt8]?, xmp: [UInt8]?) -> Int {
    if let exif, let found = orientation(exif: exif) { return (1...8).contains(found) ? found : 1 }
    if let xmp, let found = orientation(xmp: xmp) { return (1...8).contains(found) ? found : 1 }
    return 1
  }

  private static func orientation(exif bytes: [UInt8]) -> Int? {
    let data = bytes.starts(with: Array("Exif\0\0".utf8)) ? Array(bytes.dropFirst(6)) : bytes
    guard data.count >= 8 else { return nil }
    let isLittle = data[0] == 0x49
    guard data.starts(with: isLittle ? [0x49, 0x49, 0x2A, 0] : [0x4D, 0x4D, 0, 0x2A]) else { return nil }
    func number(_ offset: Int, _ size: Int) -> Int? {
      guard offset >= 0, offset + size <= data.count else { return nil }
      let part = data[offset..<offset + size]
      return (isLittle ? Array(part.reversed()) : Array(part)).reduce(0) { $0 << 8 | Int($1) }
    }
    guard let directory = number(4, 4), let count = number(directory, 2) else { return nil }
    for entry in 0..<min(count, 512) {
      let place = directory + 2 + 12 * entry
      guard let tag = number(place, 2) else { return nil }
      guard tag == 0x0112 else { continue }
      switch number(place + 2, 2) {
      case 3: return number(place + 8, 2)  // SHORT
      case 4: return number(place + 8, 4)  // LONG
      default: return nil
      }
    }
    return nil
  }

  /// The digit behind `tiff:Orientation="` or `tiff:Orientation>`.
  private static func orientation(xmp: [UInt8]) -> Int? {
    for mark in ["tiff:Orientation=\"", "tiff:Orientation>"] {
      guard let range = xmp.firstRange(of: Array(mark.utf8)), range.upperBound < xmp.count else { continue }
      let digit = xmp[range.upperBound]
      if (0x30...0x39).contains(digit) { return Int(digit) - 0x30 }
    }
    return nil
  }
}

extension Picture {
  /// The picture turned as an orientation, 1 to 8, says.
  func turned(_ orientation: Int) -> Picture {
    guard (2...8).contains(orientation) else { return self }
    let swaps = orientation >= 5
    let (w, h) = swaps ? (height, width) : (width, height)
    let turned = [UInt8](unsafeUninitializedCapacity: pixels.count) { out, count in
      for y in 0..<h {
        for x in 0..<w {
          let (sx, sy) =
            switch orientation {
            case 2: (width - 1 - x, y)
            case 3: (width - 1 - x, height - 1 - y)
            case 4: (x, height - 1 - y)
            case 5: (y, x)
            case 6: (y, height - 1 - x)
            case 7: (width - 1 - y, height - 1 - x)
            default: (width - 1 - y, x)
            }
          for c in 0..<3 { out[(y * w + x) * 3 + c] = pixels[(sy * width + sx) * 3 + c] }
        }
      }
      count = pixels.count
    }
    return Picture(width: w, height: h, pixels: turned)
  }
}
