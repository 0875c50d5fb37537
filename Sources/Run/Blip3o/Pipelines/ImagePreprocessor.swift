import NetworkRuntime
import Networks
import Pictures

/// A picture as the vision tower reads it.
public struct VisionInput: Sendable {
  /// Patches of the picture.
  public let rows: Int
  public let columns: Int
  /// `[rows * columns, patchWidth]`, cell by cell of merged patches.
  public let pixels: [Float]
}

/// Resizing, normalisation and order of patches. Source: transformers, Qwen2VLImageProcessor; the release takes it from
/// Qwen2.5-VL-7B-Instruct.
public struct ImagePreprocessor: Sendable {
  let patchSize: Int
  let mergeSize: Int
  let frames: Int
  let config: PreprocessorConfig

  init(_ vision: VisionConfig, _ config: PreprocessorConfig = .init()) {
    patchSize = vision.patchSize
    mergeSize = vision.mergeSize
    frames = vision.temporalPatchSize
    self.config = config
  }

  /// Sides that are multiples of a cell, with an area in the range; ties round to even.
  public func size(width: Int, height: Int) throws(PictureError) -> (width: Int, height: Int) {
    let factor = Double(patchSize * mergeSize)
    let (w, h) = (Double(width), Double(height))
    guard max(w, h) / min(w, h) <= 200 else { throw .tooNarrow(path: "picture", width: width, height: height) }
    var newH = max(factor, (h / factor).rounded(.toNearestOrEven) * factor)
    var newW = max(factor, (w / factor).rounded(.toNearestOrEven) * factor)
    let (low, high) = (Double(config.pixelRange.lowerBound), Double(config.pixelRange.upperBound))
    if newH * newW > high {
      let beta = (h * w / high).squareRoot()
      newH = max(factor, (h / beta / factor).rounded(.down) * factor)
      newW = max(factor, (w / beta / factor).rounded(.down) * factor)
    } else if newH * newW < low {
      let beta = (low / (h * w)).squareRoot()
      newH = (h * beta / factor).rounded(.up) * factor
      newW = (w * beta / factor).rounded(.up) * factor
    }
    return (Int(newW), Int(newH))
  }

  public func resize(_ picture: Picture) throws(PictureError) -> Picture {
    let (width, height) = try size(width: picture.width, height: picture.height)
    return picture.resized(width: width, height: height)
  }

  /// Patches of a picture whose sides are multiples of a cell. A still picture fills all frames of a patch.
  public func patches(_ picture: Picture) -> VisionInput {
    let cell = patchSize * mergeSize
    precondition(picture.width % cell == 0 && picture.height % cell == 0)
    let (rows, columns) = (picture.height / patchSize, picture.width / patchSize)
    let area = patchSize * patchSize
    let width = 3 * frames * area
    // 256 values a channel: normalised once.
    let table = (0..<3).map { channel in
      (0..<256).map { (Float($0) * Float(1.0 / 255) - config.mean[channel]) / config.deviation[channel] }
    }
    let pixels = [Float](unsafeUninitializedCapacity: rows * columns * width) { out, count in
      var patch = 0
      for cellRow in 0..<rows / mergeSize {
        for cellColumn in 0..<columns / mergeSize {
          for part in 0..<mergeSize * mergeSize {
            let top = (cellRow * mergeSize + part / mergeSize) * patchSize
            let left = (cellColumn * mergeSize + part % mergeSize) * patchSize
            for channel in 0..<3 {
              for y in 0..<patchSize {
                for x in 0..<patchSize {
                  let value = picture.pixels[((top + y) * picture.width + left + x) * 3 + channel]
                  for frame in 0..<frames {
                    out[patch * width + (channel * frames + frame) * area + y * patchSize + x] =
                      table[channel][Int(value)]
                  }
                }
              }
            }
            patch += 1
          }
        }
      }
      count = rows * columns * width
    }
    return VisionInput(rows: rows, columns: columns, pixels: pixels)
  }
}
