import Documents
import JSONText
import PictureComparison

/// How two pictures differ, for people and programs.
public struct PictureDiffReport {
  private let difference: PictureDifference
  private let names: (reference: String, other: String)
  private let map: String?

  /// - Parameters:
  ///   - names: of the two pictures, as the user gave them.
  ///   - map: the file that shows where they differ.
  public init(_ difference: PictureDifference, names: (reference: String, other: String), map: String? = nil) {
    self.difference = difference
    self.names = names
    self.map = map
  }

  public var document: Document {
    var document = Document(schema: "bantam.picturediff.1")
    document.data("reference", .string(names.reference))
    document.data("other", .string(names.other))
    document.fact("size", "size", .shape([difference.width, difference.height]))
    document.fact("psnr_db", "PSNR", psnr)
    document.fact("ssim", "SSIM", difference.ssim.map(Self.similarity) ?? .absent)
    document.fact("haarpsi", "HaarPSI", Self.similarity(difference.haarPSI))
    document.fact("mean_abs", "mean error in levels", .number(difference.meanError, places: 3))
    document.fact("max_abs", "largest error in levels", .count(difference.largestError?.value ?? 0))
    document.fact("changed_pixels", "changed pixels", .count(difference.changedPixelCount))
    let pixelCount = difference.width * difference.height
    document.fact(
      "changed_fraction", "part that changed", .fraction(Double(difference.changedPixelCount) / Double(pixelCount)))
    document.fact("map", "map", map.map { .name($0) } ?? .absent)
    addPlace(to: &document)
    if difference.ssim == nil { document.note("SSIM needs sides of 11 pixels") }
    return document
  }

  private func addPlace(to document: inout Document) {
    guard let largest = difference.largestError else { return document.data("max_abs_at", .null) }
    document.data(
      "max_abs_at",
      .members(["x": .int(largest.x), "y": .int(largest.y), "channel": .string(largest.channel.rawValue)]))
    document.note("the largest error is in \(largest.channel.rawValue) at column \(largest.x), row \(largest.y)")
  }

  private var psnr: Cell { .decibels(difference.psnrDecibels) }

  /// Five places: small changes of a large picture stay visible.
  private static func similarity(_ value: Double) -> Cell { .number(value, places: 5) }

  /// What misses a threshold, in words.
  public func failures(minPSNR: Double?, minSSIM: Double?) -> [String] {
    var failures: [String] = []
    if let minPSNR, !(difference.psnrDecibels >= minPSNR) {
      failures.append("the pictures have \(psnr.text), less than \(minPSNR) dB")
    }
    if let minSSIM {
      if let ssim = difference.ssim {
        if !(ssim >= minSSIM) {
          failures.append("the pictures have an SSIM of \(Self.similarity(ssim).text), less than \(minSSIM)")
        }
      } else {
        failures.append("the pictures are too small for an SSIM")
      }
    }
    return failures
  }
}
