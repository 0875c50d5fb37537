import Foundation
import JSONText
import Kernels
import PictureComparison
import Pictures
import Testing
import TestSupport

/// `Fixtures/expected.json`: how far scikit-image and piq find the pictures beside it from `reference.png`. Made by
/// `make_differences.py`.
@Suite struct PictureDifferenceTests {
  private static let folder = Bundle.module.resourceURL!.appendingPathComponent("Fixtures").path
  private static let expected = try! ConfigJSON.parse(
    [UInt8](Data(contentsOf: URL(fileURLWithPath: folder + "/expected.json"))))

  static func picture(_ name: String) throws -> Picture { try Picture(path: folder + "/" + name) }

  /// A picture of noise.
  private func noise(_ width: Int, _ height: Int, seed: UInt64) -> Picture {
    var generator = SeededGenerator(seed)
    return Picture(width: width, height: height, pixels: generator.bytes(width * height * 3))
  }

  /// One colour all over.
  private func plain(_ width: Int, _ height: Int, _ level: UInt8) -> Picture {
    Picture(width: width, height: height, pixels: [UInt8](repeating: level, count: width * height * 3))
  }

  private func isNear(_ value: Double?, _ wanted: Double?, _ tolerance: Double = 1e-6) -> Bool {
    guard let value, let wanted else { return value == nil && wanted == nil }
    return value == wanted || abs(value - wanted) <= tolerance * abs(wanted)
  }

  @Test func thePicturesAreThoseThatWereMeasured() throws {
    let files = try #require(Self.expected["sha256_of_pixels"]?.object)
    #expect(files.count == 7)
    for file in files {
      #expect(SHA256.of(try Self.picture(file.key).pixels).description == file.value.string, "\(file.key)")
    }
  }

  @Test func figuresAreThoseOfScikitImageAndPIQ() throws {
    let cases = try #require(Self.expected["cases"]?.array)
    #expect(cases.count == 63)
    let reference = try Self.picture("reference.png")
    for row in cases {
      let crop = row["crop"]!.array!.map { $0.int! }
      func cut(_ picture: Picture) -> Picture {
        picture.cropped(left: crop[0], top: crop[1], width: crop[2], height: crop[3])
      }
      let found = try PictureDifference(cut(reference), cut(Self.picture(row["other"]!.string!)))
      let psnr = row["psnr_db"]?.string == "inf" ? .infinity : row["psnr_db"]?.double
      #expect(isNear(found.psnrDecibels, psnr, 1e-12), "\(row) \(found)")
      #expect(isNear(found.ssim, row["ssim"]?.double), "\(row) \(found)")
      #expect(isNear(found.haarPSI, row["haarpsi"]?.double), "\(row) \(found)")
      #expect(isNear(found.meanError, row["mean_abs"]?.double, 1e-12), "\(row) \(found)")
      #expect(found.changedPixelCount == row["changed_pixels"]?.int, "\(row) \(found)")
      let largest = found.largestError
      #expect(largest?.value ?? 0 == row["max_abs"]?.int, "\(row) \(found)")
      if let largest {
        #expect(largest.x == row["x"]?.int && largest.y == row["y"]?.int, "\(row) \(found)")
        #expect(PictureDifference.Channel.allCases.firstIndex(of: largest.channel) == row["channel"]?.int)
      }
    }
  }

  @Test(arguments: [(1, 1), (2, 3), (10, 50), (11, 11), (40, 23)]) func equalPicturesAreEqual(width: Int, height: Int)
    throws
  {
    for picture in [noise(width, height, seed: 1), plain(width, height, 0), plain(width, height, 255)] {
      let found = try PictureDifference(picture, picture)
      #expect(found.psnrDecibels == .infinity && found.meanError == 0)
      #expect(found.largestError == nil && found.changedPixelCount == 0)
      #expect(found.ssim == (min(width, height) < 11 ? nil : 1) && found.haarPSI == 1)
    }
  }

  /// Known without a program: the square of the error is 25 everywhere, and variances are zero.
  @Test func aConstantOffsetHasAKnownError() throws {
    let found = try PictureDifference(plain(20, 16, 100), plain(20, 16, 105))
    #expect(isNear(found.psnrDecibels, 20 * Foundation.log10(255.0 / 5), 1e-12))
    #expect(found.meanError == 5 && found.changedPixelCount == 320)
    #expect(found.largestError?.value == 5 && found.largestError?.x == 0 && found.largestError?.y == 0)
    let c1 = 2.55 * 2.55
    #expect(isNear(found.ssim, (2 * 100 * 105 + c1) / (100 * 100 + 105 * 105 + c1), 1e-9))
  }

  @Test func swappedPicturesDifferAsMuch() throws {
    for (width, height) in [(1, 1), (3, 2), (31, 17), (64, 33)] {
      let (a, b) = (noise(width, height, seed: 2), noise(width, height, seed: 3))
      let (one, other) = (try PictureDifference(a, b), try PictureDifference(b, a))
      #expect(one == other)
      #expect(one.haarPSI > 0 && one.haarPSI < 1)
    }
  }

  @Test func anyNumberOfThreadsFindsTheSame() throws {
    let (a, b) = (noise(61, 203, seed: 4), noise(61, 203, seed: 5))
    let one = try PictureDifference(a, b, threads: 1)
    for threads in [2, 3, 8] { #expect(try PictureDifference(a, b, threads: threads) == one) }
  }

  /// More of the same error is worse by every measure.
  @Test func moreNoiseIsFartherAway() throws {
    let reference = try Self.picture("reference.png")
    var generator = SeededGenerator(6)
    let deviates = generator.normals(reference.pixels.count)
    let found = try [2, 5, 12, 30].map { (strength: Float) in
      let pixels = zip(reference.pixels, deviates).map { UInt8(min(max(Float($0) + strength * $1, 0), 255)) }
      return try PictureDifference(
        reference, Picture(width: reference.width, height: reference.height, pixels: pixels))
    }
    for (less, more) in zip(found, found.dropFirst()) {
      #expect(less.psnrDecibels > more.psnrDecibels && less.ssim! > more.ssim! && less.haarPSI > more.haarPSI)
    }
  }

  @Test func hostileSizesAreErrors() throws {
    #expect(throws: PictureComparisonError.unequalSizes(width: 4, height: 5, otherWidth: 5, otherHeight: 4)) {
      try PictureDifference(plain(4, 5, 1), plain(5, 4, 1))
    }
    for size in [(0, 0), (0, 7), (7, 0)] {
      let nothing = plain(size.0, size.1, 0)
      #expect(throws: PictureComparisonError.noPixels) { try PictureDifference(nothing, nothing) }
      #expect(throws: PictureComparisonError.noPixels) { try DifferenceMap(nothing, nothing) }
    }
    // As long and as thin as pictures may be.
    for (width, height) in [(1 << 16, 1), (1, 1 << 16)] {
      let found = try PictureDifference(plain(width, height, 3), plain(width, height, 4))
      #expect(found.ssim == nil && found.meanError == 1 && found.haarPSI > 0.9)
    }
  }

  @Test func theMapIsBlackWhereNothingDiffersAndLighterWithEveryLevel() throws {
    let a = plain(256, 1, 0)
    let b = Picture(width: 256, height: 1, pixels: (0..<256).flatMap { [0, UInt8($0), 0] })
    func lightness(_ map: DifferenceMap) -> [Int] {
      stride(from: 0, to: 768, by: 3).map { pixel in
        2 * Int(map.picture.pixels[pixel]) + 5 * Int(map.picture.pixels[pixel + 1]) + Int(map.picture.pixels[pixel + 2])
      }
    }
    let plainMap = lightness(try DifferenceMap(a, b, gain: 1))
    #expect(plainMap[0] == 0 && zip(plainMap, plainMap.dropFirst()).allSatisfy { $0 < $1 })
    let usual = lightness(try DifferenceMap(a, b))
    #expect((0..<64).allSatisfy { usual[$0] == plainMap[4 * $0] } && usual[64...].allSatisfy { $0 == plainMap[255] })
    #expect(try DifferenceMap(a, b).picture == DifferenceMap(b, a).picture)
  }
}
