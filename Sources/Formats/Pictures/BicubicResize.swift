import Glibc

extension Picture {
  /// The picture at another size: bicubic with antialiasing, bit for bit as PIL resizes 8-bit pictures.
  ///
  /// Source: Pillow's documentation of Image.resize, and its fixed-point method: weights of 22 fractional bits, each pass
  /// rounded to 8 bits; Keys, "Cubic Convolution Interpolation", a = -0.5. The order of the two passes is that of Pillow 13,
  /// found by trying: rows come first where the height shrinks by more than twice what the width does. Earlier versions always
  /// begin with the columns, which moves a few values by one level.
  public func resized(width newWidth: Int, height newHeight: Int) -> Picture {
    precondition(newWidth > 0 && newHeight > 0)
    let isHeightFirst = newHeight < height && height - newHeight > 2 * (width - newWidth)
    return isHeightFirst
      ? resized(height: newHeight).resized(width: newWidth) : resized(width: newWidth).resized(height: newHeight)
  }

  private func resized(width new: Int) -> Picture {
    guard new != width else { return self }
    let rows = ResizeWeights(from: width, to: new).resizeRows(pixels, rows: height, from: width)
    return Picture(width: new, height: height, pixels: rows)
  }

  private func resized(height new: Int) -> Picture {
    guard new != height else { return self }
    let columns = ResizeWeights(from: height, to: new).resizeColumns(pixels, columns: width)
    return Picture(width: width, height: new, pixels: columns)
  }
}

/// For each new place: which old ones count, and how much.
private struct ResizeWeights {
  private static let fraction = 22

  let starts: [Int]
  let counts: [Int]
  /// `weights[place * stride + i]`.
  let weights: [Int32]
  let stride: Int

  init(from old: Int, to new: Int) {
    let scale = Double(old) / Double(new)
    let filterScale = max(1, scale)
    let support = 2 * filterScale
    stride = Int(ceil(support)) * 2 + 1
    var (starts, counts): ([Int], [Int]) = ([], [])
    var weights = [Int32](repeating: 0, count: new * stride)
    for place in 0..<new {
      let center = (Double(place) + 0.5) * scale
      let first = max(0, Int(center - support + 0.5))
      let last = min(old, Int(center + support + 0.5))
      var found = (first..<last).map { Self.cubic((Double($0) - center + 0.5) / filterScale) }
      let sum = found.reduce(0, +)
      if sum != 0 { found = found.map { $0 / sum } }
      for (index, weight) in found.enumerated() {
        let scaled = weight * Double(1 << Self.fraction)
        weights[place * stride + index] = Int32(weight < 0 ? scaled - 0.5 : scaled + 0.5)
      }
      starts.append(first)
      counts.append(found.count)
    }
    self.starts = starts
    self.counts = counts
    self.weights = weights
  }

  private static func cubic(_ distance: Double) -> Double {
    let (a, x) = (-0.5, abs(distance))
    if x < 1 { return ((a + 2) * x - (a + 3)) * x * x + 1 }
    if x < 2 { return (((x - 5) * x + 8) * x - 4) * a }
    return 0
  }

  private static func clip(_ sum: Int32) -> UInt8 { UInt8(clamping: sum >> Int32(fraction)) }

  /// Each row of `from` pixels becomes one of as many as there are places.
  func resizeRows(_ pixels: [UInt8], rows: Int, from: Int) -> [UInt8] {
    let new = starts.count
    return [UInt8](unsafeUninitializedCapacity: rows * new * 3) { out, count in
      pixels.withUnsafeBufferPointer { source in
        for row in 0..<rows {
          for place in 0..<new {
            var (r, g, b) = (Self.half, Self.half, Self.half)
            var position = (row * from + starts[place]) * 3
            for index in 0..<counts[place] {
              let weight = weights[place * stride + index]
              r &+= Int32(source[position]) &* weight
              g &+= Int32(source[position + 1]) &* weight
              b &+= Int32(source[position + 2]) &* weight
              position += 3
            }
            let target = (row * new + place) * 3
            out[target] = Self.clip(r)
            out[target + 1] = Self.clip(g)
            out[target + 2] = Self.clip(b)
          }
        }
      }
      count = rows * new * 3
    }
  }

  private static let half: Int32 = 1 << Int32(fraction - 1)

  /// Rows of `columns` pixels are combined into as many as there are places.
  func resizeColumns(_ pixels: [UInt8], columns: Int) -> [UInt8] {
    let width = columns * 3
    return [UInt8](unsafeUninitializedCapacity: starts.count * width) { out, count in
      var sums = [Int32](repeating: 0, count: width)
      pixels.withUnsafeBufferPointer { source in
        for place in starts.indices {
          for index in 0..<width { sums[index] = Self.half }
          for index in 0..<counts[place] {
            let weight = weights[place * stride + index]
            let row = (starts[place] + index) * width
            for column in 0..<width { sums[column] &+= Int32(source[row + column]) &* weight }
          }
          for column in 0..<width { out[place * width + column] = Self.clip(sums[column]) }
        }
      }
      count = starts.count * width
    }
  }
}
