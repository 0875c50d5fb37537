import Testing
import TestSupport

@Suite struct NormTableTests {
  private let rows = 3
  private let columnCounts = [1, 2, 15, 16, 17, 31, 33, 64, 100, 257]
  /// What one rounding to f32 may move, relative to the result.
  private let rounding = 0x1p-24

  /// The factor, and up to four products, are rounded to f32; the sum of squares in f64 is beyond that.
  @Test(arguments: KernelTable.all) func rmsNormIsWithinItsRoundings(table: KernelTable) {
    var generator = SeededGenerator(13)
    for columns in columnCounts {
      let x = generator.normals(rows * columns)
      let (weight, scale) = (generator.normals(columns), generator.normals(columns))
      for scale in [nil, scale] {
        func run(_ table: KernelTable) -> [Float] {
          var out = x
          table.functions.rms_norm(&out, x, weight, scale, rows, columns, 1e-6)
          return out
        }
        let found = run(table)
        for row in 0..<rows {
          let part = row * columns..<(row + 1) * columns
          let expected = Twin.rmsNorm(Array(x[part]), weight: weight, scale: scale, epsilon: 1e-6)
          #expect(within(Array(found[part]), expected) { 6 * rounding * abs($0) + 1e-30 })
        }
        #expect(sameBits(found, run(.portable)))
        // The result may take the place of what it is of.
        var inPlace = x
        inPlace.withUnsafeMutableBufferPointer {
          table.functions.rms_norm($0.baseAddress, $0.baseAddress, weight, scale, rows, columns, 1e-6)
        }
        #expect(sameBits(found, inPlace))
      }
    }
  }

  /// As above; the mean and the difference from it are rounded too, and a bias may take off most of what is left.
  @Test(arguments: KernelTable.all) func layerNormIsWithinItsRoundings(table: KernelTable) {
    var generator = SeededGenerator(14)
    for columns in columnCounts.dropFirst() {
      let x = generator.normals(rows * columns).map { $0 + 1 }
      let (weight, bias, scale) = (generator.normals(columns), generator.normals(columns), generator.normals(columns))
      for (isWeighted, scale) in [(true, scale), (true, nil), (false, scale), (false, nil)] {
        func run(_ table: KernelTable) -> [Float] {
          var out = x
          table.functions.layer_norm(
            &out, x, isWeighted ? weight : nil, isWeighted ? bias : nil, scale, rows, columns, 1e-5)
          return out
        }
        let found = run(table)
        for row in 0..<rows {
          let part = Array(x[row * columns..<(row + 1) * columns])
          let expected = Twin.layerNorm(
            part, weight: isWeighted ? weight : nil, bias: isWeighted ? bias : nil, scale: scale, epsilon: 1e-5)
          let factor = Twin.layerNorm(part, weight: nil, bias: nil, scale: nil, epsilon: 1e-5)
          let deviation = zip(part, factor).map { abs(Double($0)) + abs($1) }
          let mean = part.reduce(0.0) { $0 + Double($1) } / Double(columns)
          let spread = part.reduce(0.0) { $0 + (Double($1) - mean) * (Double($1) - mean) } / Double(columns)
          for column in 0..<columns {
            // Each part of the sum before the scale, at its largest.
            let normal = (abs(mean) + deviation[column]) / (spread + 1e-5).squareRoot() + deviation[column]
            let parts =
              normal * (isWeighted ? abs(Double(weight[column])) : 1)
              + (isWeighted ? abs(Double(bias[column])) : 0)
            let bound = 6 * rounding * parts * abs(1 + Double(scale?[column] ?? 0)) + 1e-30
            #expect(abs(Double(found[row * columns + column]) - expected[column]) <= bound)
          }
        }
        #expect(sameBits(found, run(.portable)))
        var inPlace = x
        inPlace.withUnsafeMutableBufferPointer {
          table.functions.layer_norm(
            $0.baseAddress, $0.baseAddress, isWeighted ? weight : nil, isWeighted ? bias : nil, scale, rows, columns,
            1e-5)
        }
        #expect(sameBits(found, inPlace))
      }
    }
  }

  /// Sums run in the order of the pixels: equal bits.
  @Test(arguments: KernelTable.all) func channelsAreAddedUp(table: KernelTable) {
    var generator = SeededGenerator(15)
    for channels in columnCounts {
      let x = generator.normals(5 * channels)
      let start = generator.normals(channels).map(Double.init)
      var (sums, squares) = (start, start)
      table.functions.channel_sums(&sums, &squares, x, 5, channels)
      let expected = Twin.channelSums(start, start, x)
      #expect(sums.map(\.bitPattern) == expected.sums.map(\.bitPattern))
      #expect(squares.map(\.bitPattern) == expected.squares.map(\.bitPattern))
    }
  }

  @Test(arguments: KernelTable.all) func channelsAreScaledAndShifted(table: KernelTable) {
    var generator = SeededGenerator(16)
    for channels in columnCounts {
      let x = generator.normals(5 * channels)
      let (scale, shift) = (generator.normals(channels), generator.normals(channels))
      var found = x
      table.functions.scale_shift(&found, x, scale, shift, 5, channels, 0)
      let linear = Twin.scaleShift(x, scale: scale, shift: shift)
      #expect(sameBits(found, linear))
      table.functions.scale_shift(&found, x, scale, shift, 5, channels, 1)
      // The bound of SiLU itself.
      #expect(within(found, linear.map(Twin.silu)) { 4e-7 * max(1, abs($0)) })
      var plain = x
      KernelTable.portable.functions.scale_shift(&plain, x, scale, shift, 5, channels, 1)
      #expect(sameBits(found, plain))
      var inPlace = x
      inPlace.withUnsafeMutableBufferPointer {
        table.functions.scale_shift($0.baseAddress, $0.baseAddress, scale, shift, 5, channels, 1)
      }
      #expect(sameBits(found, inPlace))
    }
  }
}
