import Pictures
import Runtime

/// CLIP features of a picture, by the EVA-CLIP tower that release files may hold.
public struct PictureEncoder {
  private let tower: EVATower
  private let runner: StageRunner

  /// - Throws: ``ModelError/componentMissing(path:name:has:)`` where the file has no tower.
  public init(_ model: Model, run: RunOptions = .init(), observer: (any Observer)? = nil) throws {
    tower = try model.evaTower()
    runner = StageRunner(run, observer: observer)
  }

  /// Features for ``TextToImage/picture(features:)``.
  public struct Features: Sendable {
    /// `[side * side, width]`, row by row over the picture.
    public let values: [Float]
    public let side: Int
    public let width: Int
  }

  var imageSize: Int { tower.config.imageSize }

  /// - Parameter picture: of any size; it is brought to the tower's, bicubic.
  public func features(_ picture: Picture) throws -> Features {
    let side = imageSize
    let patches = try patches(Self.normalised(picture.resized(width: side, height: side)))
    return Features(
      values: tower.pooled(patches), side: tower.config.gridSide / EVATower.pool, width: tower.config.width)
  }

  /// Averaged features, channels first.
  func pool(_ patches: [Float]) -> Features {
    var pooled = tower.pooled(patches)
    pooled.withUnsafeMutableBufferPointer { values in
      _ = values.update(fromContentsOf: ChannelOrder.first(values, channels: tower.config.width))
    }
    return Features(values: pooled, side: tower.config.gridSide / EVATower.pool, width: tower.config.width)
  }

  /// `[3, height, width]`.
  static func normalised(_ picture: Picture) -> [Float] {
    let count = picture.width * picture.height
    return (0..<3).flatMap { channel in
      (0..<count).map { pixel in
        let value = Float(picture.pixels[3 * pixel + channel]) * Float(1.0 / 255)
        return (value - ImagePreprocessor.mean[channel]) / ImagePreprocessor.deviation[channel]
      }
    }
  }

  /// Features of all patches, `[patches, width]`.
  /// - Parameter image: `[3, imageSize, imageSize]`, normalised.
  func patches(_ image: [Float]) throws -> [Float] {
    let (config, side) = (tower.config, tower.config.imageSize)
    let patch = config.patchSize
    return try runner.stage("encode") { run in
      runner.enter(run, "eva")
      runner.progress(run, "encode", step: 0, of: 1)
      let pixels = run.take(width: config.gridSide * config.gridSide, channels: 3 * patch * patch)
      run.fill(pixels) { values in
        var index = 0
        for row in 0..<config.gridSide {
          for column in 0..<config.gridSide {
            for channel in 0..<3 {
              for y in 0..<patch {
                for x in 0..<patch {
                  values[index] = image[(channel * side + row * patch + y) * side + column * patch + x]
                  index += 1
                }
              }
            }
          }
        }
      }
      let out = run.take(like: pixels, channels: config.width)
      try runner.finite(run, out) { try tower.forward(run, pixels, into: out) }
      let result = run.isPlanning ? [] : Array(out.values)
      run.give(pixels)
      run.give(out)
      return result
    }
  }
}
