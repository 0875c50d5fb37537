import Tensors

extension Picture {
  /// What is said of an animation.
  static func animationNote(_ path: String) -> String {
    "'\(path)' is an animation: its first picture is read"
  }

  /// Pixels that a file may hold: what fits in memory, and more than cameras take.
  public static let pixelLimit = 1 << 27
  /// Pixels of a side: what JPEG allows, and little enough to be brought to any other size.
  public static let sideLimit = 1 << 16
  /// Bytes of a file that are read.
  static let fileByteLimit = 1 << 29

  /// A picture as a file holds it, and what there is to say of it.
  public struct Read: Sendable {
    public let picture: Picture
    /// Such as that it is the first of several.
    public let note: String?
  }

  /// Reads a PNG, JPEG or WebP file, turned as its Exif block or XMP packet says. Transparency is dropped, as PIL's convert does. Of an
  /// animation the first picture is read.
  /// - Throws: ``PictureError``.
  public init(path: String) throws(PictureError) { self = try Self.read(path: path).picture }

  public static func read(path: String) throws(PictureError) -> Read {
    let bytes: [UInt8]
    do { bytes = try ReadableFile(path: path).contents(limit: Self.fileByteLimit) } catch { throw .file(error) }
    return try read(bytes, path: path)
  }

  public init(_ bytes: [UInt8], path: String) throws(PictureError) { self = try Self.read(bytes, path: path).picture }

  /// - Parameter path: for messages.
  static func read(_ bytes: [UInt8], path: String) throws(PictureError) -> Read {
    guard !bytes.isEmpty else { throw .unknownKind(path: path, looksLike: "an empty file") }
    switch Format(startOf: bytes) {
    case .png: return try png(bytes, path: path)
    case .jpeg: return Read(picture: try jpeg(bytes, path: path), note: nil)
    case .webP: return try webP(bytes, path: path)
    case nil: throw .unknownKind(path: path, looksLike: kind(bytes))
    }
  }

  /// Whether a file starts as a picture does that can be read. A folder, or what is not there, is none.
  /// - Throws: ``FileError`` where there is a file that cannot be read.
  public static func isFile(_ path: String) throws(FileError) -> Bool {
    guard Folder.hasFile(path) else { return false }
    let file = try ReadableFile(path: path)
    return Format(startOf: try file.bytes(at: 0, count: min(file.byteCount, Format.headByteCount))) != nil
  }

  /// What is read, told by a file's first bytes.
  private enum Format {
    case png, jpeg, webP

    static let headByteCount = 12

    init?(startOf bytes: [UInt8]) {
      func starts(_ head: [UInt8], at offset: Int = 0) -> Bool { bytes.dropFirst(offset).starts(with: head) }
      if starts([0x89, 0x50, 0x4E, 0x47]) {
        self = .png
      } else if starts([0xFF, 0xD8, 0xFF]) {
        self = .jpeg
      } else if starts(Array("RIFF".utf8)), starts(Array("WEBP".utf8), at: 8) {
        self = .webP
      } else {
        return nil
      }
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
    guard !overflow, pixels <= pixelLimit, max(width, height) <= sideLimit else {
      throw .tooLarge(path: path, width: width, height: height)
    }
  }
}
