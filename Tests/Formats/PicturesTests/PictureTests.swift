import Foundation
import JSONText
import Kernels
import Pictures
import Testing
import TestSupport

/// `Fixtures/expected.json`: what PIL reads from the pictures beside it, and digests of what it resizes. Made by
/// `make_pictures.py`.
@Suite struct PictureTests {
  private static let folder = Bundle.module.resourceURL!.appendingPathComponent("Fixtures").path
  private static let expected = try! ConfigJSON.parse(
    [UInt8](Data(contentsOf: URL(fileURLWithPath: folder + "/expected.json"))))

  private func digest(_ bytes: [UInt8]) -> String {
    SHA256.of(bytes).description
  }

  @Test func filesReadAsPILReadsThem() throws {
    let files = try #require(Self.expected["files"]?.object)
    #expect(files.count >= 36)
    for file in files {
      let picture = try Picture(path: Self.folder + "/" + file.key)
      #expect(picture.width == file.value["width"]?.int, "\(file.key)")
      #expect(picture.height == file.value["height"]?.int, "\(file.key)")
      #expect(digest(picture.pixels) == file.value["sha256"]?.string, "\(file.key)")
    }
  }

  @Test func resizingEqualsPILBitForBit() throws {
    let rows = try #require(Self.expected["resizes"]?.array)
    #expect(rows.count == 200)
    for row in rows {
      func number(_ key: String) -> Int { row[key]!.int! }
      var state = UInt64(number("seed"))
      let pixels = (0..<number("width") * number("height") * 3).map { _ -> UInt8 in
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return UInt8(state >> 56)
      }
      let picture = Picture(width: number("width"), height: number("height"), pixels: pixels)
      let resized = picture.resized(width: number("to_width"), height: number("to_height"))
      #expect(digest(resized.pixels) == row["sha256"]?.string, "\(row)")
    }
  }

  @Test func pngComesBackWithItsNotes() throws {
    var generator = SeededGenerator(1)
    let picture = Picture(width: 13, height: 7, pixels: generator.bytes(13 * 7 * 3))
    let bytes = try picture.png(notes: ["Description": "a cat, \u{732b}"])
    #expect(try Picture(bytes, path: "x.png") == picture)
    #expect(bytes.firstRange(of: Array("iTXtDescription".utf8)) != nil)
    #expect(bytes.firstRange(of: Array("a cat, \u{732b}".utf8)) != nil)
  }

  @Test(arguments: ["animation.png", "animation.webp"])
  func animationsGiveTheirFirstPictureAndSaySo(name: String) throws {
    let read = try Picture.read(path: Self.folder + "/" + name)
    #expect(read.note?.contains("its first picture is read") == true)
    #expect(try Picture.read(path: Self.folder + "/rgb.png").note == nil)
  }

  @Test func aPictureIsNeverLostForItsNotes() throws {
    let picture = Picture(width: 2, height: 1, pixels: [1, 2, 3, 4, 5, 6])
    for text in ["", "\0", "a\0b", String(repeating: "猫", count: 200_000), "\u{FFFF}\u{10FFFF}"] {
      #expect(try Picture(picture.png(notes: ["Description": text]), path: "x.png") == picture)
    }
    // A keyword that PNG does not allow.
    #expect(
      try Picture(picture.png(notes: [String(repeating: "k", count: 200): "text", "": "text"]), path: "x.png")
        == picture)
  }

  @Test func theMiddleOfAPictureIsCutOut() {
    let picture = Picture(width: 3, height: 3, pixels: (0..<27).map { UInt8($0) })
    #expect(picture.cropped(left: 1, top: 1, width: 2, height: 1).pixels == Array(12..<18))
    #expect(picture.cropped(left: 0, top: 0, width: 3, height: 3) == picture)
  }

  // MARK: What is wrong

  private static func file(_ name: String) -> [UInt8] {
    [UInt8](FileManager.default.contents(atPath: folder + "/" + name)!)
  }

  /// A PNG of a header alone, or with other bytes in it.
  private static func png(width: UInt32, height: UInt32, depth: UInt8 = 8, colour: UInt8 = 2) -> [UInt8] {
    var bytes = file("rgb.png")
    func put(_ value: UInt32, at place: Int) {
      for index in 0..<4 { bytes[place + index] = UInt8(value >> UInt32(24 - 8 * index) & 255) }
    }
    put(width, at: 16)
    put(height, at: 20)
    bytes[24] = depth
    bytes[25] = colour
    put(crc(Array(bytes[12..<29])), at: 29)
    return bytes
  }

  private static func crc(_ bytes: [UInt8]) -> UInt32 {
    ~bytes.reduce(UInt32.max) { sum, byte in
      (0..<8).reduce(sum ^ UInt32(byte)) { value, _ in value & 1 == 1 ? value >> 1 ^ 0xEDB8_8320 : value >> 1 }
    }
  }

  private static func changed(_ name: String, at place: Int, to bytes: [UInt8]) -> [UInt8] {
    var all = file(name)
    all.replaceSubrange(place..<place + bytes.count, with: bytes)
    return all
  }

  /// The size in a JPEG's frame header.
  private static func jpeg(width: Int, height: Int) -> [UInt8] {
    let frame = file("rgb.jpg").firstRange(of: [0xFF, 0xC0])!.lowerBound
    return changed("rgb.jpg", at: frame + 5, to: [height, width].flatMap { [UInt8($0 >> 8), UInt8($0 & 255)] })
  }

  static let bad: [(String, [UInt8])] = [
    ("empty", []), ("one byte", [0x89]), ("text", Array("hello".utf8)), ("gif", Array("GIF89a......".utf8)),
    ("bmp", Array("BM......".utf8)), ("tiff", [0x49, 0x49, 0x2A, 0, 8, 0, 0, 0]),
    ("heif", [0, 0, 0, 24] + "ftypheic".utf8),
    ("pdf", Array("%PDF-1.7".utf8)), ("svg", Array("<svg/>".utf8)),
    ("lfs", Array("version https://git-lfs.github.com/spec/v1".utf8)), ("png mark alone", [0x89, 0x50, 0x4E, 0x47]),
    ("png cut in the header", Array(file("rgb.png").prefix(20))),
    ("png cut in the data", Array(file("rgb.png").prefix(60))),
    ("png without width", png(width: 0, height: 21)), ("png without height", png(width: 34, height: 0)),
    ("png bomb", png(width: 60_000, height: 60_000)), ("png beyond its limit", png(width: 1 << 31, height: 1)),
    ("png of one long row", png(width: 65_537, height: 1)), ("png of one long column", png(width: 1, height: 65_537)),
    ("png of another width", png(width: 35, height: 21)), ("png of depth 3", png(width: 34, height: 21, depth: 3)),
    ("png of type 5", png(width: 34, height: 21, colour: 5)),
    ("png without palette", png(width: 34, height: 21, colour: 3)),
    ("png with a wrong sum", changed("rgb.png", at: 29, to: [1, 2, 3, 4])),
    ("png with broken data", changed("rgb.png", at: 50, to: [0xFF, 0xFF, 0xFF, 0xFF])),
    ("jpeg mark alone", [0xFF, 0xD8, 0xFF]), ("jpeg cut in the header", Array(file("rgb.jpg").prefix(100))),
    ("jpeg cut in the data", Array(file("rgb.jpg").dropLast(60))), ("jpeg without width", jpeg(width: 0, height: 21)),
    ("jpeg without height", jpeg(width: 34, height: 0)), ("jpeg bomb", jpeg(width: 65_500, height: 65_500)),
    ("progressive jpeg cut", Array(file("progressive.jpg").dropLast(200))),
    ("webp mark alone", Array("RIFF\0\0\0\0WEBP".utf8)), ("webp cut", Array(file("lossy.webp").prefix(40))),
    ("webp with a broken chunk", changed("lossless.webp", at: 12, to: Array("VP9 ".utf8))),
  ]

  @Test(arguments: Self.bad.indices) func badPicturesEndInAnError(number: Int) {
    let (name, bytes) = Self.bad[number]
    #expect(throws: PictureError.self, "\(name)") { try Picture(bytes, path: "p") }
  }

  @Test func mutantsEndInAPictureOrAnError() {
    var generator = SeededGenerator(8)
    for name in ["rgb.png", "palette.png", "rgb.jpg", "progressive.jpg", "lossy.webp", "orientation6.jpg"] {
      let bytes = Self.file(name)
      for _ in 0..<300 { _ = try? Picture(generator.mutant(of: bytes), path: name) }
    }
  }
}
