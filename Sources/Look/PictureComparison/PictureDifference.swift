import Pictures
import Tensors

/// How far a picture is from a reference of the same size, in numbers.
///
/// All but ``largestError`` are the same where the two change places.
public struct PictureDifference: Sendable, Equatable {
  public enum Channel: String, Sendable, CaseIterable {
    case red, green, blue
  }

  /// The largest difference of two bytes, and the first place that has it, row by row.
  public struct LargestError: Sendable, Equatable {
    /// In levels, 1 to 255.
    public let value: Int
    /// Columns from the left and rows from the top, from 0 on.
    public let x: Int
    public let y: Int
    public let channel: Channel
  }

  public let width: Int
  public let height: Int
  /// Peak signal-to-noise ratio in dB over the bytes of all three channels: `10 log10(255^2 / mean square error)`; infinite where
  /// the pictures are equal.
  public let psnrDecibels: Double
  /// Mean absolute difference of the bytes, in levels.
  public let meanError: Double
  /// nil where the pictures are equal.
  public let largestError: LargestError?
  /// Pixels that differ in any channel.
  public let changedPixelCount: Int
  /// SSIM (Wang et al. 2004), -1 to 1: the mean over the three channels, under a Gaussian window of 11 x 11 pixels; 1 where the
  /// pictures are equal; nil where a side is shorter than the window.
  public let ssim: Double?
  /// HaarPSI (Reisenhofer et al. 2018), 0 to 1: how alike edges and colours are where there is something to see, at half the size; 1
  /// where the pictures are equal.
  public let haarPSI: Double

  /// - Throws: ``PictureComparisonError/unequalSizes(width:height:otherWidth:otherHeight:)``,
  ///   ``PictureComparisonError/noPixels``.
  public init(
    _ reference: Picture, _ other: Picture, threads: Int = Workers.usualCount
  ) throws(PictureComparisonError) {
    try PictureComparisonError.check(reference, other)
    let errors = PixelErrors.sum(reference, other, threads: threads)
    width = reference.width
    height = reference.height
    psnrDecibels = errors.psnrDecibels(count: reference.pixels.count)
    meanError = Double(errors.magnitudes) / Double(reference.pixels.count)
    largestError = errors.largest.map { largest in
      let pixel = largest.index / 3
      return LargestError(
        value: largest.value, x: pixel % reference.width, y: pixel / reference.width,
        channel: Channel.allCases[largest.index % 3])
    }
    changedPixelCount = errors.changedPixels
    ssim = StructuralSimilarity.mean(reference, other, threads: threads)
    // Equal pictures may be black, which has no structure to be weighed by.
    haarPSI = errors.squares == 0 ? 1 : HaarSimilarity.index(reference, other, threads: threads)
  }
}
