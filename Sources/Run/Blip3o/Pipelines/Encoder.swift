import NetworkRuntime
import Networks
import Pictures

/// CLIP features of a picture, by the EVA-CLIP tower that release files may hold.
public struct PictureEncoder {
  private let tower: EVATower
  private let runner: StageRunner

  /// - Throws: ``ModelError/componentMissing(path:name:has:)`` where the file has no tower.
  public init(_ model: Model, run: RunOptions = .init(), observers: [any Observer] = []) throws {
    try self.init(model, StageRunner(model, run, observers: observers))
  }

  init(_ model: Model, _ runner: StageRunner) throws {
    tower = try model.evaTower()
    self.runner = runner
  }

  /// Averaged features of a picture.
  struct Pooled {
    /// `[side * side, width]`, row by row over the picture.
    let values: [Float]
    let side: Int
    let width: Int
  }

  var imageSize: Int { tower.config.imageSize }
  /// Features a side, and channels of each.
  public var featureShape: (side: Int, width: Int) {
    (tower.config.gridSide / EVATower.pool, tower.config.width)
  }

  /// The features of a picture, and of the empty one that painting is guided by.
  /// - Parameter picture: of any size: its middle square is brought to the tower's size, bicubic.
  public func features(_ picture: Picture) throws -> CLIPFeatures {
    let values = tower.pooled(try patches(Self.normalised(prepared(picture))))
    return CLIPFeatures(values: values, negative: try emptyFeatures())
  }

  /// The features of a picture of zeros, normalised already.
  func emptyFeatures() throws -> [Float] {
    let side = imageSize
    return tower.pooled(try patches([Float](repeating: 0, count: 3 * side * side)))
  }

  /// The middle square of a picture at the tower's size. Source: BLIP3-o's inference.py and the processor of its tower.
  func prepared(_ picture: Picture) -> Picture {
    let side = min(picture.width, picture.height)
    return picture.cropped(
      left: (picture.width - side) / 2, top: (picture.height - side) / 2, width: side, height: side
    ).resized(width: imageSize, height: imageSize)
  }

  /// Averaged features, channels first.
  func pool(_ patches: [Float]) -> Pooled {
    var pooled = tower.pooled(patches)
    pooled.withUnsafeMutableBufferPointer { values in
      _ = values.update(fromContentsOf: ChannelOrder.first(values, channels: tower.config.width))
    }
    return Pooled(values: pooled, side: tower.config.gridSide / EVATower.pool, width: tower.config.width)
  }

  /// `[3, height, width]`.
  static func normalised(_ picture: Picture) -> [Float] {
    let count = picture.width * picture.height
    // The tower's own numbers, which are those that the vision tower's are by default.
    let clip = PreprocessorConfig()
    return (0..<3).flatMap { channel in
      (0..<count).map { pixel in
        let value = Float(picture.pixels[3 * pixel + channel]) * Float(1.0 / 255)
        return (value - clip.mean[channel]) / clip.deviation[channel]
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
      let result = run.isPlanning ? [Float](repeating: 0, count: out.count) : Array(out.values)
      run.give(pixels)
      run.give(out)
      return result
    }
  }
}
