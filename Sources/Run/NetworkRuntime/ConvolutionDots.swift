import Kernels

extension Execution {
  /// A convolution whose codes are multiplied as they lie. The whole input, normalized, is quantized once, with a border of zeros: each
  /// pixel's channels, cut as a tap's are, serve all nine taps.
  func convolveDots(
    _ layer: Convolution, _ input: ConvolutionInput, then tail: ProductTail, into out: Activation,
    _ operation: NetworkOperation
  ) throws {
    let picture = QuantizedPicture(
      batch: out.batch, height: input.height + 2, width: input.width + 2,
      groups: GroupTile.count(columns: layer.channels))
    let memory = takeGroups(rows: picture.batch * picture.height * picture.width, groups: picture.groups)
    defer { give(memory) }
    // Pixels as they are rounded: normalized.
    lookForOutliers(
      layer.path, rowCount: out.batch * input.height * input.width, columns: layer.channels
    ) { pixel, scratch in
      var scratch = scratch
      let values = scratch.take(Float.self, layer.channels)
      let (row, x) = pixel.quotientAndRemainder(dividingBy: input.width)
      input.copy(sample: row / input.height, y: row % input.height, from: x, count: 1, into: values)
      return UnsafePointer(values)
    }
    try perform(operation, inputs: [input.x], output: out, prepare: layer.weight) {
      let quantized = QuantizedGroups(memory.base, count: picture.groupCount)
      parallel(picture.batch * picture.height) { item, scratch in
        picture.quantize(input, row: item, into: quantized, scratch)
      }
      // Sums of an item's pixels and outputs stay in the second-level cache.
      let columns = min(out.width, 128)
      let tiles = OutputTiles(
        out, rows: max(1, min(out.height, 256 / max(1, columns))), columns: columns, grain: 2 * GroupTile.rows,
        limit: 512, threadCount: threadCount)
      parallel(tiles.itemCount) { number, scratch in
        var scratch = scratch
        let item = tiles.item(number, of: out)
        let sums = ProductSums(&scratch, rows: item.pixelCount, outputs: item.outputs)
        picture.multiply(layer, quantized, item, into: sums, scratch)
        item.finish(sums, out: out, bias: layer.bias, then: tail)
      }
    }
  }
}

/// A padded picture of groups.
private struct QuantizedPicture {
  let batch: Int
  /// With the border.
  let height: Int
  let width: Int
  /// Groups of a pixel.
  let groups: Int

  var groupCount: Int { batch * height * width * groups }

  /// The first group of a pixel.
  func place(sample: Int, y: Int, x: Int) -> Int { ((sample * height + y) * width + x) * groups }

  /// Quantizes one row, border and all.
  func quantize(_ input: ConvolutionInput, row: Int, into quantized: QuantizedGroups, _ memory: Scratch) {
    let (sample, y) = row.quotientAndRemainder(dividingBy: height)
    let channels = input.x.channels
    var scratch = memory
    // As many pixels as stay in the second-level cache.
    let run = max(1, min(width, (1 << 16) / channels))
    let pixels = scratch.take(Float.self, run * channels)
    for first in stride(from: 0, to: width, by: run) {
      let count = min(run, width - first)
      input.copy(sample: sample, y: y - 1, from: first - 1, count: count, into: pixels)
      quantized.quantize(pixels, rowCount: count, columns: channels, at: place(sample: sample, y: y, x: first))
    }
  }

  /// Products of an item's pixels, a row of them after another.
  func multiply(
    _ layer: Convolution, _ quantized: QuantizedGroups, _ item: OutputTiles.Item, into sums: ProductSums,
    _ memory: Scratch
  ) {
    var scratch = memory
    let taps = scratch.take(Int.self, 9)
    for tap in 0..<9 { taps[tap] = (tap / 3 * width + tap % 3) * groups }
    let matrix = layer.weight.matrix
    for row in 0..<item.rowCount {
      let pixel = place(
        sample: item.sample, y: (item.firstRow + row) * layer.stride, x: item.firstColumn * layer.stride)
      matrix.encoding.multiply(
        matrix, outputs: item.outputs,
        by: QuantizedRows(
          quantized, first: pixel, rowCount: item.columnCount, stride: layer.stride * groups,
          runs: UnsafeBufferPointer(start: taps, count: 9), runGroups: groups),
        into: sums.base + row * item.columnCount * item.outputs.count, stride: item.outputs.count)
    }
  }
}
