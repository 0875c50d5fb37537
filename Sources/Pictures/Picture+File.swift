import Tensors

extension Picture {
  /// Pixels that a file may hold: what fits in memory, and more than cameras take.
  public static let pixelLimit = 1 << 27
  /// Bytes of a file that are read.
  static let fileByteLimit = 1 << 29

  /// Reads a PNG, JPEG or WebP file; PNG and JPEG are turned as their Exif orientation says. Transparency is dropped, as PIL's convert does.
  /// - Throws: ``PictureError``.
  public init(path: String) throws(PictureError) {
    let bytes: [UInt8]
    do { bytes = try ReadableFile(path: path).contents(limit: Self.fileByteLimit) } catch { throw .file(error) }
    try self.init(bytes, path: path)
  }

  /// - Parameter path: for messages.
  public init(_ bytes: [UInt8], path: String) throws(PictureError) {
    guard !bytes.isEmpty else { throw .unknownKind(path: path, looksLike: "an empty file") }
    func starts(_ head: [UInt8], at offset: Int = 0) -> Bool { bytes.dropFirst(offset).starts(with: head) }
    if starts([0x89, 0x50, 0x4E, 0x47]) {
      self = try .png(bytes, path: path)
    } else if starts([0xFF, 0xD8, 0xFF]) {
      self = try .jpeg(bytes, path: path)
    } else if starts(Array("RIFF".utf8)), starts(Array("WEBP".utf8), at: 8) {
      self = try .webP(bytes, path: path)
    } else {
      throw .unknownKind(path: path, looksLike: Self.kind(bytes))
    }
  }

  private static func kind(_ bytes: [UInt8]) -> String {
    let heads: [(String, [UInt8], Int)] = [
      ("a GIF picture", Array("GIF8".utf8), 0), ("a BMP picture", Array("BM".utf8), 0),
      ("a TIFF picture", [0x49, 0x49, 0x2A, 0], 0), ("a TIFF picture", [0x4D, 0x4D, 0, 0x2A], 0),
      ("a HEIF or AVIF picture", Array("ftyp".utf8), 4), ("a PDF document", Array("%PDF".utf8), 0),
      ("an SVG or XML document", Array("<".utf8), 0), ("a Git LFS pointer", Array("version https://git-lfs".utf8), 0),
    ]
    return heads.first { bytes.dropFirst($0.2).starts(with: $0.1) }?.0 ?? "other bytes"
  }

  /// - Throws: where a picture of these sides is not to be decoded.
  static func check(width: Int, height: Int, path: String) throws(PictureError) {
    guard width > 0, height > 0 else { throw .empty(path: path) }
    let (pixels, overflow) = width.multipliedReportingOverflow(by: height)
    guard !overflow, pixels <= pixelLimit else { throw .tooLarge(path: path, width: width, height: height) }
  }

  /// The picture turned as an Exif orientation, 1 to 8, says. Source: Exif 2.3, tag 0x0112.
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

/// The orientation of an Exif block (a TIFF header and what follows), 1 where there is none.
enum Exif {
  static func orientation(_ bytes: ArraySlice<UInt8>) -> Int {
    let data = Array(bytes)
    guard data.count >= 8 else { return 1 }
    let isLittle = data[0] == 0x49
    guard data.starts(with: isLittle ? [0x49, 0x49, 0x2A, 0] : [0x4D, 0x4D, 0, 0x2A]) else { return 1 }
    func number(_ offset: Int, _ size: Int) -> Int? {
      guard offset >= 0, offset + size <= data.count else { return nil }
      let part = data[offset..<offset + size]
      return (isLittle ? Array(part.reversed()) : Array(part)).reduce(0) { $0 << 8 | Int($1) }
    }
    guard let directory = number(4, 4), let count = number(directory, 2) else { return 1 }
    for entry in 0..<min(count, 512) {
      let place = directory + 2 + 12 * entry
      guard let tag = number(place, 2) else { return 1 }
      if tag == 0x0112, number(place + 2, 2) == 3, let value = number(place + 8, 2), (1...8).contains(value) {
        return value
      }
    }
    return 1
  }
}
